"""A configuration as syslinux has them: what is included, in a submenu and named by ONTIMEOUT boots by itself.

Its initrd is a U-Boot legacy image, whose header the kernel must not see.
"""

from chainboot_vm import sample
from chainboot_vm.contents import Joined, Kernel, payload_initrd
from chainboot_vm.disks import Disk
from chainboot_vm.machine import Machine
from chainboot_vm.steps import menu_is_ready, payload_is_up

MAIN = """\
ui vesamenu.c32
DEFAULT linux
ONTIMEOUT rescue single
TIMEOUT 20
MENU TITLE A stick
APPEND quiet
LABEL linux
  MENU LABEL ^Linux
  TEXT HELP
  LABEL nothing
  ENDTEXT
  KERNEL vmlinuz
MENU BEGIN tools
  MENU TITLE Tools
  INCLUDE tools.cfg
MENU END
"""
TOOLS = f"""\
LABEL rescue
  MENU LABEL ^Rescue
  LINUX vmlinuz first=word
  APPEND {sample.PARAMETERS}
  INITRD uInitrd
"""
UIMAGE_HEADER = b"\x27\x05\x19\x56" + bytes(60)

DISKS = (
    Disk(
        "stick",
        {
            "syslinux/syslinux.cfg": MAIN,
            "syslinux/tools.cfg": TOOLS,
            "syslinux/vmlinuz": Kernel(),
            "syslinux/uInitrd": Joined((UIMAGE_HEADER, payload_initrd("behind a header"))),
        },
    ),
)


def run(machine: Machine) -> None:
    machine.start()
    menu_is_ready(machine, "2 entries", "default linux")
    payload_is_up(machine, "behind a header", f"first=word {sample.PARAMETERS} single")
