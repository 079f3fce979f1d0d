"""A module of the menu is missing from the image: the console says why, and Enter gives a busybox shell that works."""

from chainboot_vm import sample
from chainboot_vm.first_stage import Variant
from chainboot_vm.machine import Machine
from chainboot_vm.steps import ENTER

DISKS = (sample.disk(),)
IMAGE = Variant("no-menu", without=("/chainboot/cli.",))


def run(machine: Machine) -> None:
    machine.start()
    machine.wait_for_console_text(r"chainboot: the menu could not start: ModuleNotFoundError: .*chainboot\.cli")
    machine.wait_for_console_text("press Enter within 60 seconds for a shell")
    machine.send_console(ENTER)
    machine.wait_for_console_text("busybox shell")
    machine.send_console("echo answer: $((6 * 7))\n")
    machine.wait_for_console_text("answer: 42")
    # A shell that is left tries the menu again, and PID 1 is still there to do it.
    machine.send_console("exit\n")
    machine.wait_for_console_text("chainboot: the menu could not start")
    machine.wait_for_console_text("press Enter within 60 seconds for a shell")
    machine.send_console(ENTER)
    machine.wait_for_console_text("busybox shell")
    # A machine that restarts is off here.
    machine.send_console("reboot\n")
    machine.wait_for_shutdown()
