"""The machine of `make soak`: four generations, of which the record says that two are good.

Each has a kernel of its own that can be broken, and has chainboot; what it does, the soak tells it. Pure data.
"""

from __future__ import annotations

from dataclasses import replace

from chainboot_vm import nixos, trials
from chainboot_vm.contents import Kernel
from chainboot_vm.disks import Disk
from chainboot_vm.first_stage import Variant
from chainboot_vm.nixos import Generation

# The first stage without drivers and tools that this machine has no use for: it is unpacked at each start.
IMAGE = Variant(
    "soak",
    without=("/drivers/scsi/", "/fs/btrfs/", "/fs/xfs/", "/lib/zstd/", "/lib/raid6/", "/bin/btrfs", "/xfs_repair"),
)

SETTINGS: dict[str, str | int] = {
    **trials.SETTINGS,
    "tries": 2,
    "retry_timeout_ds": 5,
    "trial_window": 2,
    "network_wait": 8,
    "ssh_window": 2,
    "ssh_grace": 2,
}

GOOD = (4, 3)
NUMBERS = (5, 4, 3, 2)

# At the end of every command line; each panics into a reset, also when it is good.
_END = "panic=1"


def generation(number: int, revision: int = 0) -> Generation:
    """One of the four. Another revision has another command line, so that it is another entry in the record.

    Each has a kernel file of its own, so that one can be broken.
    """
    parameters = f"{trials.PARAMETERS} {_END}" + (f" revision={revision}" if revision else "")
    return Generation(number, parameters, f"2024-06-{number:02} 12:00", linux=f"6.1.{number}")


def update(number: int, revision: int) -> str:
    """The command by which its configuration gets another revision, as an update gives it, in the running system."""
    given = generation(number).command_line().partition(" ")[0]
    return f"sed -i '\\|{given} |s/ {_END}.*/ {_END} revision={revision}/' /boot/extlinux/extlinux.conf"


def label(number: int) -> str:
    """The label of a generation that is not also the default's."""
    return f"nixos-{number}-default"


def disk() -> Disk:
    """The machine's disk; the record says that two of four generations are good."""
    generations = [generation(number) for number in NUMBERS]
    files = dict(nixos.nixos_boot(generations, timeout=15, directory=""))
    files |= {f"nixos/{each.initrd_file}": trials.system(each.number) for each in generations}
    files |= {f"nixos/{each.kernel_file}": Kernel() for each in generations}
    known = [replace(trials.known(number), digest=digest(number)) for number in GOOD]
    files[trials.RECORD] = trials.record(*known)
    return Disk("soak", files, size_mib=128, kept=True)


def digest(number: int, revision: int = 0) -> str:
    """The id of its entry."""
    return trials.digest_of(generation(number, revision))
