"""One slot of the record is damaged: it is said and repaired. Both are: it is said, and entries are new again."""

from chainboot_vm import trials
from chainboot_vm.machine import Machine

SETTINGS = trials.SETTINGS

WHOLE = trials.record(trials.known(5), trials.known(4))
HALF = len(WHOLE) // 2
DISKS = (
    trials.disk(
        "trial-slots",
        {5: trials.system(5, trials.BLESS), 4: trials.failing(4, trials.RESETS)},
        files={trials.RECORD: b"\xff" * HALF + WHOLE[HALF:]},
    ),
)

# Over the whole record; the size stays.
BREAK_BOTH = f"dd if=/dev/zero of=/boot/{trials.RECORD} bs={len(WHOLE)} count=1 conv=notrunc"
SLOTS = f"grep -a -c '^chainboot-trials 1 ' /boot/{trials.RECORD}"


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)
    machine.wait_for_console_text("slot 1 of the record of trials is damaged")
    trials.is_up(machine, 5)
    trials.did(machine, "chainboot bless")
    trials.run(machine, SLOTS, says="(?m)^2$")
    trials.type_command(machine, trials.SHOW, says=trials.in_record(5, "good", boots=trials.BOOTS + 1))
    trials.type_command(machine, BREAK_BOTH)
    trials.restart(machine)
    machine.wait_for_console_text("slot [12] of the record of trials is damaged")
    trials.is_up(machine, 5, trial=(1, 2))
    trials.did(machine, "chainboot bless")
    trials.run(machine, SLOTS, says="(?m)^2$")
    trials.type_command(machine, trials.SHOW, says=trials.in_record(5, "good", boots=1))
