"""The disk takes no writes, so no try can be counted: nobody is there, and the good generation boots in its place.

A person's choice of the new one is honoured all the same.
"""

from chainboot_vm import trials
from chainboot_vm.machine import Machine
from chainboot_vm.steps import ENTER, menu_is_ready, stop_countdown

SETTINGS = trials.SETTINGS
DISKS = (trials.read_only(trials.disk("trial-ro", {5: trials.failing(5, ""), 4: trials.failing(4, "")}, good=[4])),)


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    menu_is_ready(machine, "default nixos-default", "booting in")
    trials.is_up(machine, 4)
    machine.send_console(ENTER)
    stop_countdown(machine)
    machine.send_console(f"1{ENTER}")
    trials.is_up(machine, 5, trial=(1, 2))
