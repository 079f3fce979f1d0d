"""A new generation boots on trial, blesses itself once it is up, and from then on is good and stays."""

from chainboot_vm import trials
from chainboot_vm.machine import Machine
from chainboot_vm.steps import menu_is_ready

SETTINGS = trials.SETTINGS
DISKS = (
    trials.disk(
        "trial-good", {5: trials.system(5, trials.BLESS), 4: trials.failing(4, trials.RESETS)}, good=[4], timeout=20
    ),
)


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    machine.wait_for_console_text("trial 1 of 2")
    trials.is_up(machine, 5, trial=(1, 2))
    trials.did(machine, "chainboot bless")
    trials.run(machine, trials.SHOW, says=trials.in_record(5, "good", boots=1))
    trials.restart(machine)
    machine.wait_for_console_text(r"trials  good \(1 boot\)")
    menu_is_ready(machine, "default nixos-default", "booting in")
    trials.is_up(machine, 5)
    trials.did(machine, "chainboot bless")
    trials.run(machine, trials.SHOW, says=trials.in_record(5, "good", boots=2))
