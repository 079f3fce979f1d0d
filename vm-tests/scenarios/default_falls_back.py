"""The newest generation's kernel was cut off by a full disk, and nobody is there: the older generation boots."""

from chainboot.session.console import NOT_BOOTED
from chainboot_vm import nixos, sample
from chainboot_vm.contents import Kernel, Truncated
from chainboot_vm.disks import Disk
from chainboot_vm.machine import Machine
from chainboot_vm.steps import payload_is_up

GOOD = nixos.Generation(4, sample.PARAMETERS, linux="6.1.79")
BROKEN = nixos.Generation(5, sample.PARAMETERS)
PARAMETERS = "chainboot.retry_timeout_ds=20"

DISKS = (
    Disk(
        "broken-default",
        {
            **nixos.nixos_boot([GOOD, BROKEN], timeout=20),
            f"boot/nixos/{BROKEN.kernel_file}": Truncated(Kernel(), 3_000_000),
        },
    ),
)


def run(machine: Machine) -> None:
    machine.start()
    # nixos-default is the newest generation under another name: both are tried, and both are refused in words.
    machine.wait_for_console_text(f"{NOT_BOOTED}: nixos-default cannot boot: .*the kernel image is cut off")
    machine.wait_for_console_text(f"{NOT_BOOTED}: nixos-5-default cannot boot: .*the kernel image is cut off")
    payload_is_up(machine, "4", GOOD.command_line())
