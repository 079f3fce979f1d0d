"""There is no disk at all: the menu says so, looks again when told to, and its shell still works."""

from chainboot.session.console import SHELL
from chainboot.session.state import NO_ENTRIES
from chainboot_vm.machine import Machine

PARAMETERS = "chainboot.device_wait_ds=10"


def run(machine: Machine) -> None:
    machine.start()
    machine.wait_for_console_text(NO_ENTRIES)
    machine.send_console("r")
    machine.wait_for_console_text(NO_ENTRIES)
    machine.send_console("s")
    machine.wait_for_console_text(SHELL)
    machine.send_console("echo disks: $(grep -c vd /proc/partitions)\n")
    machine.wait_for_console_text("disks: 0")
    machine.send_console("exit\n")
    machine.wait_for_console_text(NO_ENTRIES)
