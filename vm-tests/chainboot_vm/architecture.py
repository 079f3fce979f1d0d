"""What differs between the machines that are emulated: Debian's names for one and QEMU's.

Knows names and arguments; runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.architecture import S390X, X86_64
from chainboot.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class LineConsole:
    """An operator's console: kernel parameters, and QEMU's arguments (`{}` is the character device behind it)."""

    parameters: str
    device: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row of the table.

    `name` is what `uname -m` says, `debian` what dpkg says. `kernel_package` is the meta package that names the
    newest kernel, `alone` are packages that are wanted without what they depend on. `qemu` is the program, `machine`
    its arguments, `console` the name of the first serial console on the kernel command line and `further_consoles`
    those of others, each given to the machine by the arguments `further_device` (`{}` is the character device behind
    it). `line_console` is the same of a console that knows lines only, with all the parameters that it takes; None
    where there is no such thing. `disk_device` is a virtio disk on this machine's bus, `network_device` a virtio
    network card and `watchdog_device` a watchdog that its kernel has a driver for. `release` is the Debian whose
    packages are wanted; None for this machine's own.
    """

    name: str
    debian: str
    kernel_package: str
    qemu: str
    machine: tuple[str, ...]
    console: str
    further_consoles: tuple[str, ...]
    further_device: tuple[str, ...]
    disk_device: str
    network_device: str
    watchdog_device: str
    alone: tuple[str, ...] = ()
    line_console: LineConsole | None = None
    release: str | None = None


ARCHITECTURES = (
    Architecture(
        name=X86_64.name,
        debian="amd64",
        kernel_package="linux-image-amd64",
        qemu="qemu-system-x86_64",
        # i440fx rather than q35: its PCI bus takes a disk at run time without a root port of its own.
        machine=("-machine", "pc", "-vga", "none"),
        console=X86_64.console,
        further_consoles=("ttyS1", "ttyS2", "ttyS3"),
        further_device=("-serial", "chardev:{}"),
        disk_device="virtio-blk-pci",
        # Nobody boots from it, and its boot ROM is a Debian package of its own.
        network_device="virtio-net-pci,romfile=",
        watchdog_device="i6300esb",
    ),
    Architecture(
        name=S390X.name,
        debian="s390x",
        kernel_package="linux-image-s390x",
        qemu="qemu-system-s390x",
        machine=("-machine", "s390-ccw-virtio"),
        console=S390X.console,
        # There is one SCLP, so the others are virtio's.
        further_consoles=("hvc0", "hvc1"),
        further_device=("-device", "virtio-serial", "-device", "virtconsole,chardev={}"),
        line_console=LineConsole("conmode=sclp console=ttyS0", ("-device", "sclplmconsole,chardev={}")),
        disk_device="virtio-blk-ccw",
        network_device="virtio-net-ccw",
        watchdog_device="diag288",
        # zipl. Perl and what else the package depends on serve its other tools.
        alone=("s390-tools",),
        # The kernel of the next release has no kexec.
        release="bookworm",
    ),
)


def architecture(name: str) -> Architecture:
    """The row called `name`. Raises `NotFoundError` that lists the names there are."""
    for row in ARCHITECTURES:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in ARCHITECTURES)
    raise NotFoundError(f"no machine is described for the architecture {name}", hint=f"there is: {known}")
