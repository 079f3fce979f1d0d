"""A new generation switches the machine off: whoever switches it on again has the last good one."""

from chainboot_vm import trials
from chainboot_vm.machine import Machine

SETTINGS = {**trials.SETTINGS, "tries": 1}
DISKS = (trials.disk("trial-off", {5: trials.failing(5, trials.POWERS_OFF), 4: trials.system(4)}, good=[4]),)


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    trials.is_up(machine, 5, trial=(1, 1))
    machine.wait_for_shutdown()
    machine.start(allow_reboot=True)
    trials.is_up(machine, 4)
    trials.run(machine, trials.SHOW, says=trials.in_record(5, "bad", done=1, why=".+"))
