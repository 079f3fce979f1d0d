"""Text and half a kernel stand where kernels should: both are refused in words, the menu lives, a good one boots."""

from chainboot.session.console import NOT_BOOTED
from chainboot_vm import nixos, sample
from chainboot_vm.contents import Kernel, Truncated
from chainboot_vm.disks import Disk
from chainboot_vm.machine import Machine
from chainboot_vm.steps import ENTER, menu_is_ready, payload_is_up, stop_countdown

HALF = nixos.Generation(3, sample.PARAMETERS, linux="6.1.79")
TEXT = nixos.Generation(4, sample.PARAMETERS, linux="6.1.90")
GOOD = nixos.Generation(5, sample.PARAMETERS)

DISKS = (
    Disk(
        "bad-kernel",
        {
            **nixos.nixos_boot([HALF, TEXT, GOOD]),
            f"boot/nixos/{HALF.kernel_file}": Truncated(Kernel(), 3_000_000),
            f"boot/nixos/{TEXT.kernel_file}": "This was a kernel once.\n" * 1000,
        },
    ),
)


def run(machine: Machine) -> None:
    machine.start()
    stop_countdown(machine)
    machine.send_console(f"3{ENTER}")
    machine.wait_for_console_text(f"{NOT_BOOTED}: nixos-4-default cannot boot: .*is not a Linux kernel image")
    menu_is_ready(machine, "4 entries")
    machine.send_console(f"4{ENTER}")
    machine.wait_for_console_text(f"{NOT_BOOTED}: nixos-3-default cannot boot: .*the kernel image is cut off")
    menu_is_ready(machine, "4 entries")
    machine.send_console(f"1{ENTER}")
    payload_is_up(machine, "5", GOOD.command_line())
