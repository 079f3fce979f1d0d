"""Two serial consoles show one menu: a key on either of them holds the countdown of both."""

from chainboot.session.state import READY
from chainboot_vm import sample
from chainboot_vm.machine import ManyConsoles
from chainboot_vm.steps import ENTER, HOME, menu_is_ready, payload_is_up

DISKS = (sample.disk(timeout=100),)
CONSOLES = 2


def run(machine: ManyConsoles) -> None:
    machine.start()
    menu_is_ready(machine, "booting in")
    machine.wait_for_text_on(1, READY)
    machine.send_to(1, HOME)
    machine.wait_for_text_on(1, "countdown stopped")
    menu_is_ready(machine, "countdown held")
    machine.send_to(1, f"{sample.NUMBER_OF_GENERATION_3}{ENTER}")
    payload_is_up(machine, "3", sample.GENERATIONS[2].command_line())
