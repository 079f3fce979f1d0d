"""A new generation panics each time: after its two tries the last good one boots, and the record has the panic's words.

The words are kept by the firmware of a PC, where it can (ACPI ERST); elsewhere the record says that there is none.
"""

from chainboot_vm import trials
from chainboot_vm.machine import Machine

SETTINGS = trials.SETTINGS
PANIC_STORE = True
DISKS = (
    trials.disk("trial-panics", {5: trials.failing(5, trials.PANICS), 4: trials.system(4, trials.BLESS)}, good=[4]),
)


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    for attempt in (1, 2):
        machine.wait_for_console_text(f"trial {attempt} of 2")
        trials.is_up(machine, 5, trial=(attempt, 2))
        machine.wait_for_console_text("Kernel panic")
    machine.wait_for_console_text("bad")
    trials.is_up(machine, 4)
    why = "(it panicked: sysrq triggered crash|no word of it.*)"
    trials.run(machine, trials.SHOW, says=trials.in_record(5, "bad", done=2, why=why))
    trials.type_command(machine, trials.SHOW, says=trials.in_record(4, "good", boots=trials.BOOTS + 1))
