"""The QEMU command line of a machine, without its consoles.

Knows QEMU's options; starts nothing. It adds no -serial, -monitor or -qmp: the NixOS test driver and our own
`QemuMachine` each add theirs, and `make demo` adds this terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chainboot_vm.architecture import Architecture
from chainboot_vm.artifacts import program

MEMORY_MIB = 512

# Without KVM everywhere, so that every machine tests the same thing. QEMU's default translation cache is a quarter of
# the host's memory for each machine; 32 MiB is as fast for one small guest.
ACCELERATION = ("-accel", "tcg,tb-size=32")


@dataclass(frozen=True, slots=True)
class Drive:
    """A disk image as QEMU is given it. One that is not attached can be plugged in later with `plug`."""

    image: Path
    attached: bool = True


def command_line(
    arch: Architecture,
    *,
    kernel: Path,
    initrd: Path,
    append: str,
    drives: Sequence[Drive],
    memory_mib: int = MEMORY_MIB,
) -> tuple[str, ...]:
    """The argv that boots `kernel` and `initrd` with `append` as kernel command line.

    Disk images are opened with snapshot=on: what a guest writes is gone when QEMU ends, so one image serves any
    number of machines. Raises `NotFoundError` when QEMU is not installed.
    """
    argv = [program(arch.qemu), *arch.machine, *ACCELERATION, "-m", str(memory_mib)]
    argv += ["-nodefaults", "-no-user-config", "-display", "none"]
    argv += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", append]
    for number, drive in enumerate(drives):
        image = str(drive.image).replace(",", ",,")  # qemu(1): a comma in an option's value is doubled
        argv += ["-drive", f"if=none,id=disk{number},format=raw,snapshot=on,file={image}"]
        if drive.attached:
            argv += ["-device", f"{arch.disk_device},drive=disk{number}"]
    return tuple(argv)


def plug(arch: Architecture, number: int) -> str:
    """The monitor command that attaches drive `number` (counting from 0) to a running machine."""
    return f"device_add {arch.disk_device},drive=disk{number}"


def consoles(arch: Architecture, count: int) -> str:
    """The `console=` parameters for `count` serial consoles; the kernel's /dev/console is the last one named."""
    names = [arch.console, *(arch.further_console.format(number) for number in range(1, count))]
    return " ".join(f"console={name}" for name in reversed(names))
