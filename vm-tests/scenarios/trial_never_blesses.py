"""A new generation comes up, never proves itself and restarts: after its tries the last good one boots and stays."""

from chainboot_vm import trials
from chainboot_vm.machine import Machine
from chainboot_vm.steps import menu_is_ready

SETTINGS = trials.SETTINGS
DISKS = (trials.disk("trial-never", {5: trials.failing(5, trials.RESETS), 4: trials.system(4)}, good=[4, 3]),)


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    for attempt in (1, 2):
        trials.is_up(machine, 5, trial=(attempt, 2))
    menu_is_ready(machine, "default nixos-4-default", "booting in")
    trials.is_up(machine, 4)
    trials.run(machine, trials.SHOW, says=trials.in_record(5, "bad", done=2, why=".+"))
    trials.restart(machine)
    menu_is_ready(machine, "default nixos-4-default", "booting in")
    trials.is_up(machine, 4)
