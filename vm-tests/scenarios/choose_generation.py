"""A key stops the countdown; a digit and an arrow choose the specialisation of an older generation; Enter boots it."""

from chainboot_vm import sample
from chainboot_vm.machine import Machine
from chainboot_vm.steps import ENTER, UP, payload_is_up, stop_countdown

DISKS = (sample.disk(),)


def run(machine: Machine) -> None:
    machine.start()
    stop_countdown(machine)
    assert sample.NUMBER_OF_SPECIALISATION == sample.NUMBER_OF_GENERATION_3 - 1
    machine.send_console(f"{sample.NUMBER_OF_GENERATION_3}{UP}{ENTER}")
    generation = sample.GENERATIONS[3]
    payload_is_up(machine, "4", generation.command_line_of(sample.SPECIALISATION))
