"""INITRD names two files, the first of an odd length: both arrive, joined where the kernel looks for the second."""

from chainboot_vm import sample
from chainboot_vm.contents import GenerationMark, Joined, Kernel, PayloadBase
from chainboot_vm.disks import Disk
from chainboot_vm.machine import Machine
from chainboot_vm.steps import menu_is_ready, payload_is_up

CONFIGURATION = f"""\
DEFAULT two
TIMEOUT 20

LABEL two
  LINUX /boot/vmlinuz
  INITRD /boot/base.cpio,/boot/mark.cpio
  APPEND {sample.PARAMETERS} initrds=2
"""

# /boot is a partition of its own: paths start at the root of that file system, so "/boot" is a directory in it.
DISKS = (
    Disk(
        "two-initrds",
        {
            "extlinux/extlinux.conf": CONFIGURATION,
            "boot/vmlinuz": Kernel(),
            # The kernel looks for an archive at multiples of four only (init/initramfs.c).
            "boot/base.cpio": Joined((PayloadBase(), b"\0")),
            "boot/mark.cpio": GenerationMark("of the second initrd"),
        },
    ),
)


def run(machine: Machine) -> None:
    machine.start()
    menu_is_ready(machine, "1 entry", "default two")
    payload_is_up(machine, "of the second initrd", f"{sample.PARAMETERS} initrds=2")
