"""There is no record: trials are off, and the menu says so, until a booted system has blessed itself."""

from chainboot_vm import trials
from chainboot_vm.machine import Machine
from chainboot_vm.steps import menu_is_ready

SETTINGS = trials.SETTINGS
DISKS = (trials.disk("trial-none", {5: trials.system(5, trials.BLESS), 4: trials.failing(4, trials.RESETS)}),)

OFF = "Trials are off"


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    machine.wait_for_console_text(OFF)
    # Not counted, so that a system that never blesses itself is not taken for a bad one; its id is there.
    trials.is_up(machine, 5)
    trials.did(machine, "chainboot bless")
    trials.run(machine, trials.SHOW, says=trials.in_record(5, "good", boots=1))
    trials.restart(machine)
    menu_is_ready(machine, "booting in")
    trials.is_up(machine, 5)
    trials.did(machine, "chainboot bless")
    trials.run(machine, trials.SHOW, says=trials.in_record(5, "good", boots=2))
