"""The rescue shell opens, runs a command with nothing loaded for kexec, and leads back to a menu that boots."""

from chainboot.session.console import SHELL
from chainboot_vm import sample
from chainboot_vm.machine import Machine
from chainboot_vm.steps import ENTER, menu_is_ready, payload_is_up, stop_countdown

DISKS = (sample.disk(),)


def run(machine: Machine) -> None:
    machine.start()
    stop_countdown(machine)
    machine.send_console("s")
    machine.wait_for_console_text(SHELL)
    # What is typed is echoed, so the text that is waited for is not in it.
    machine.send_console("echo answer: $((6 * 7)), loaded: $(cat /sys/kernel/kexec_loaded)\n")
    machine.wait_for_console_text("answer: 42, loaded: 0")
    machine.send_console("exit\n")
    menu_is_ready(machine, f"{sample.ENTRIES} entries")
    machine.send_console(f"2{ENTER}")
    payload_is_up(machine, "5", sample.NEWEST.command_line())
