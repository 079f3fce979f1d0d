"""The kernel of an entry is not on the disk: the entry is refused in words, the menu lives, another entry boots."""

from chainboot.session.state import CANNOT_BOOT
from chainboot_vm import nixos, sample
from chainboot_vm.disks import Disk
from chainboot_vm.machine import Machine
from chainboot_vm.steps import ENTER, payload_is_up, stop_countdown

LOST = nixos.Generation(4, sample.PARAMETERS, linux="6.1.90")
KEPT = nixos.Generation(5, sample.PARAMETERS)
FILES = nixos.nixos_boot([LOST, KEPT])

DISKS = (Disk("no-kernel", {path: what for path, what in FILES.items() if not path.endswith(LOST.kernel_file)}),)


def run(machine: Machine) -> None:
    machine.start()
    stop_countdown(machine)
    machine.send_console(f"3{ENTER}")
    # The status line is cut at the width of the terminal; it names the entry and what is wrong with it.
    machine.wait_for_console_text(f"{CANNOT_BOOT} nixos-4-default: kernel: ")
    machine.send_console(f"2{ENTER}")
    payload_is_up(machine, "5", KEPT.command_line())
