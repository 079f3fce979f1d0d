"""A running system asks for the next boot: once, from then on, and back to the last good one."""

from chainboot_vm import trials
from chainboot_vm.machine import Machine

SETTINGS = trials.SETTINGS
DISKS = (trials.disk("trial-next", {number: trials.system(number) for number in (5, 4, 3)}, good=[5, 4, 3]),)


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    trials.is_up(machine, 5)
    trials.run(machine, f"chainboot next {trials.label(3)} --once")
    trials.type_command(machine, "chainboot status", says=f"{trials.label(3)} was asked for.*, for one boot")
    trials.restart(machine)
    machine.wait_for_console_text("was asked for")
    trials.is_up(machine, 3)
    trials.restart_when_ready(machine)
    trials.is_up(machine, 5)
    trials.run(machine, "chainboot rollback")
    trials.restart(machine)
    trials.is_up(machine, 4)
    trials.restart_when_ready(machine)
    trials.is_up(machine, 4)
    trials.run(machine, "chainboot next --clear")
    trials.restart(machine)
    trials.is_up(machine, 5)
