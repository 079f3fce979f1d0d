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

# Each has a kernel file of its own, so that one can be broken; each panics into a reset, also when it is good.
GENERATIONS = tuple(
    Generation(number, f"{trials.PARAMETERS} panic=1", f"2024-06-{number:02} 12:00", linux=f"6.1.{number}")
    for number in (5, 4, 3, 2)
)
GOOD = (4, 3)


def label(number: int) -> str:
    """The label of a generation that is not also the default's."""
    return f"nixos-{number}-default"


def disk() -> Disk:
    """The machine's disk; the record says that two of four generations are good."""
    files = dict(nixos.nixos_boot(GENERATIONS, timeout=15, directory=""))
    files |= {f"nixos/{each.initrd_file}": trials.system(each.number) for each in GENERATIONS}
    files |= {f"nixos/{each.kernel_file}": Kernel() for each in GENERATIONS}
    known = [replace(trials.known(number), digest=digest(number)) for number in GOOD]
    files[trials.RECORD] = trials.record(*known)
    return Disk("soak", files, size_mib=128, kept=True)


def generation(number: int) -> Generation:
    return next(each for each in GENERATIONS if each.number == number)


def digest(number: int) -> str:
    return trials.digest_of(generation(number))
