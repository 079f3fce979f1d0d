"""A new generation is given up at its deadline and blesses itself after that: it is refused, another one boots."""

from chainboot_vm import trials
from chainboot_vm.machine import Machine

SETTINGS = {**trials.SETTINGS, "tries": 1}
WHY = "a check was too slow"

# What the timer of a NixOS does, and a health check that took too long.
TOO_LATE = f"ran chainboot expire --why '{WHY}'; {trials.BLESS}; reboot -f"
DISKS = (trials.disk("trial-late", {5: trials.system(5, TOO_LATE), 4: trials.system(4)}, good=[4]),)


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    trials.is_up(machine, 5, trial=(1, 1))
    trials.did(machine, f"chainboot expire --why {WHY}")
    machine.wait_for_console_text("too late")
    trials.did(machine, "chainboot bless", 1)
    machine.wait_for_console_text(f"bad since .*: {WHY}")
    trials.is_up(machine, 4)
    trials.run(machine, trials.SHOW, says=trials.in_record(5, "bad", done=1, why=f"{WHY} within .*"))
