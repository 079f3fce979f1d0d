"""A new generation hangs before it has any driver: the watchdog armed before the jump brings the last good one.

One that comes up stops that watchdog once it is blessed.
"""

from chainboot_vm import trials
from chainboot_vm.machine import Machine

ARCHITECTURES = ("x86_64",)
WATCHDOG = True

# Longer than a busy host takes from the jump to the first line of what was booted.
SECONDS = 45
ARMED = f"the watchdog i6300esb resets the machine after {SECONDS} s without a sign of life"
RESET = "the watchdog i6300esb reset the machine: there was no sign of life"

SETTINGS = {**trials.SETTINGS, "tries": 1, "trial_watchdog": SECONDS}
DISKS = (
    trials.disk(
        "trial-watchdog",
        {
            5: trials.failing(5, trials.HANGS),
            4: trials.system(4, trials.BLESS),
            3: trials.system(3, trials.BLESS),
        },
        good=[4],
        size_mib=128,
    ),
)


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    machine.wait_for_console_text(f"chainboot: {ARMED}")
    trials.is_up(machine, 5, trial=(1, 1))
    # Nobody helps: it is reset, and what hung is bad.
    machine.wait_for_console_text("bad")
    trials.is_up(machine, 4)
    trials.run(machine, trials.SHOW, says=trials.in_record(5, "bad", done=1, why=RESET))
    trials.type_command(machine, f"chainboot next {trials.label(3)} --once")
    trials.restart(machine)
    machine.wait_for_console_text(f"chainboot: {ARMED}")
    trials.is_up(machine, 3, trial=(1, 1))
    machine.wait_for_console_text("the watchdog i6300esb, which the first stage armed, is stopped")
    trials.did(machine, "chainboot bless")
    trials.run(machine, "cat /sys/class/watchdog/watchdog0/state", says="inactive")
