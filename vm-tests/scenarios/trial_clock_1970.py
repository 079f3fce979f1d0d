"""The machine's clock starts in 1970: tries are counted as ever, and the record does not claim to know when."""

from chainboot_vm import trials
from chainboot_vm.machine import Machine

SETTINGS = {**trials.SETTINGS, "tries": 1}
CLOCK = "1970-01-02T00:00:00"
DISKS = (
    trials.disk("trial-clock", {5: trials.failing(5, trials.RESETS), 4: trials.system(4, trials.BLESS)}, good=[4]),
)


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    trials.is_up(machine, 5, trial=(1, 1))
    trials.is_up(machine, 4)
    trials.run(machine, "date +%Y", says="(?m)^1970$")
    trials.type_command(machine, trials.SHOW, says=rf"entry\|{trials.digest(5)}\|bad\|0\|1\|0\|0\|.+")
    trials.type_command(machine, trials.SHOW, says=trials.in_record(4, "good", boots=trials.BOOTS + 1))
