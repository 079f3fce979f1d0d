"""A person confirms too late and is refused, the last good one boots; with fresh tries they confirm in time."""

from chainboot_vm import trials
from chainboot_vm.machine import Machine
from chainboot_vm.steps import menu_is_ready

SETTINGS = {**trials.SETTINGS, "tries": 1}
DISKS = (trials.disk("trial-confirm", {5: trials.system(5), 4: trials.system(4)}, good=[4]),)

WHY = "nobody confirmed it"


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    trials.is_up(machine, 5, trial=(1, 1))
    # The timer of a NixOS. The machine restarts by it, whatever a person says then.
    trials.run(machine, f"chainboot expire --why '{WHY}'")
    trials.type_command(machine, "chainboot confirm", 1, says="too late")
    trials.restart(machine)
    trials.is_up(machine, 4)
    trials.run(machine, trials.SHOW, says=trials.in_record(5, "bad", done=1, why=f"{WHY} within .*"))
    trials.type_command(machine, f"chainboot next {trials.label(5)}")
    trials.restart(machine)
    trials.is_up(machine, 5, trial=(1, 1))
    trials.run(machine, "chainboot confirm")
    trials.restart(machine)
    menu_is_ready(machine, "booting in")
    trials.is_up(machine, 5)
