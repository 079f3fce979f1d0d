"""On IBM Z the jump stops a watchdog. A new generation that starts it again and hangs gives way to the last good one.

The first stage says so before the jump, and leaves no word of it to what it boots.
"""

from chainboot_vm import trials
from chainboot_vm.machine import Machine

ARCHITECTURES = ("s390x",)
WATCHDOG = True

ARMED = "the watchdog diag288_wdt resets the machine after 600 s without a sign of life, but only until the jump"

# The driver's own time is 30 s.
HANGS = "modprobe diag288_wdt && exec 3>/dev/watchdog0 && while :; do :; done"

SETTINGS = {**trials.SETTINGS, "tries": 1, "trial_watchdog": 600}
DISKS = (
    trials.disk(
        "trial-watchdog-z", {5: trials.system(5, HANGS), 4: trials.system(4, trials.BLESS)}, good=[4], size_mib=128
    ),
)


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    machine.wait_for_console_text(f"chainboot: {ARMED}")
    trials.is_up(machine, 5, trial=(1, 1))
    machine.wait_for_console_text("bad")
    trials.is_up(machine, 4)
    # Its watchdog does not say that it was the one.
    trials.run(machine, trials.SHOW, says=trials.in_record(5, "bad", done=1, why="no word of it.*"))
    trials.type_command(machine, "grep -c watchdog /proc/cmdline", 1)
