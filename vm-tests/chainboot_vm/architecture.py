"""What differs between the machines that are emulated: Debian's names for one and QEMU's.

Knows names and arguments; runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row of the table.

    `name` is what `uname -m` says, `debian` what dpkg says. `kernel_package` is the meta package that names the
    newest kernel. `qemu` is the program, `machine` its arguments, `console` the name of the first serial console
    on the kernel command line, `further_console` that of the next ones (`{}` is its number, counting from 1),
    `disk_device` a virtio disk on this machine's bus and `network_device` a virtio network card.
    """

    name: str
    debian: str
    kernel_package: str
    qemu: str
    machine: tuple[str, ...]
    console: str
    further_console: str
    disk_device: str
    network_device: str


ARCHITECTURES = (
    Architecture(
        name="x86_64",
        debian="amd64",
        kernel_package="linux-image-amd64",
        qemu="qemu-system-x86_64",
        # i440fx rather than q35: its PCI bus takes a disk at run time without a root port of its own.
        machine=("-machine", "pc", "-vga", "none"),
        console="ttyS0",
        further_console="ttyS{}",
        disk_device="virtio-blk-pci",
        # Nobody boots from it, and its boot ROM is a Debian package of its own.
        network_device="virtio-net-pci,romfile=",
    ),
    Architecture(
        name="s390x",
        debian="s390x",
        kernel_package="linux-image-s390x",
        qemu="qemu-system-s390x",
        machine=("-machine", "s390-ccw-virtio"),
        console="ttysclp0",
        further_console="ttysclp{}",
        disk_device="virtio-blk-ccw",
        network_device="virtio-net-ccw",
    ),
)


def architecture(name: str) -> Architecture:
    """The row called `name`. Raises `NotFoundError` that lists the names there are."""
    for row in ARCHITECTURES:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in ARCHITECTURES)
    raise NotFoundError(f"no machine is described for the architecture {name}", hint=f"there is: {known}")
