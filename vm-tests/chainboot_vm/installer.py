"""A running system on an emulated IBM Z that has zipl: what `chainboot install` needs around it.

Knows the image vm-tests/installer and its protocol: it runs a script from one disk, with the file system of the other
one, which it may write to, at /boot. Knows nothing of what is installed.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from chainboot.process import Runner
from chainboot_vm import disks, first_stage, qemu
from chainboot_vm.artifacts import REPOSITORY
from chainboot_vm.contents import Kernel, Node
from chainboot_vm.disks import Disk
from chainboot_vm.first_stage import Variant
from chainboot_vm.machine import MachineError, QemuMachine
from chainboot_vm.qemu import Drive
from chainboot_vm.sysroot import Sysroot

IMAGE = Variant("installer", spec=REPOSITORY / "vm-tests" / "installer" / "image-spec.json")

# Where the script finds what it installs.
SOURCE = "/source"

_ENDED = "installer: exit code "

# Seconds. An initrd of ten megabytes is copied, and zipl asks for the place of each of its blocks, twice.
_LIMIT = 120


def install_command(*words: str) -> str:
    """The line of a script that runs `chainboot install` with these arguments on the volume at /boot."""
    return shlex.join(("chainboot", "install", "--loader", "zipl", "--target", "/boot", *words))


@dataclass(frozen=True, slots=True)
class Installation:
    """The sysroot's kernel and `initrd`, to be installed as first stage on the disk `boot` with these parameters."""

    initrd: Path
    parameters: str
    boot: Drive
    sysroot: Sysroot
    log: Path

    def perform(self, runner: Runner, say: Callable[[str], None]) -> tuple[str, ...]:
        """Install it; see `run_script`."""
        files = ("--kernel", f"{SOURCE}/kernel", "--initrd", f"{SOURCE}/initrd")
        script = install_command(*files, "--parameters", self.parameters) + "\n"
        source: dict[str, Node] = {"kernel": Kernel(), "initrd": self.initrd.read_bytes()}
        return run_script(script, self.boot, source, self.sysroot, log=self.log, runner=runner, say=say)


def run_script(
    script: str,
    boot: Drive,
    source: Mapping[str, Node],
    sysroot: Sysroot,
    *,
    log: Path,
    runner: Runner,
    say: Callable[[str], None],
) -> tuple[str, ...]:
    """Run a POSIX sh script in the guest; `boot` is the disk it gets at /boot, `source` what is in `SOURCE`.

    Returns the lines of its console. Raises `MachineError` where its exit code is not 0.
    """
    initrd = first_stage.initrd(sysroot, IMAGE, runner=runner, say=say)
    given = Disk("source", {**source, "install": script}, size_mib=96)
    made = disks.image(given, sysroot, runner=runner)
    command = qemu.command_line(
        sysroot.architecture,
        kernel=sysroot.kernel,
        initrd=initrd,
        append=f"{qemu.consoles(sysroot.architecture, 1)} quiet panic=10",
        drives=[replace(boot, kept=True), Drive(made)],
    )
    with QemuMachine(command, log=log, say=say) as machine:
        machine.start()
        machine.wait_for_console_text(f"{_ENDED}[0-9]+", timeout=_LIMIT)
        machine.wait_for_shutdown()
        lines = tuple(line.text for line in machine.consoles[0].lines)
    if f"{_ENDED}0" not in lines:
        said = "\n".join(f"  | {line}" for line in lines[-40:])
        raise MachineError(f"the script failed in the guest:\n{said}")
    return lines
