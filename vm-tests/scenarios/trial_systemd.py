"""The units under a real systemd: a check that fails, the deadline, a blessing, and a person who confirms."""

import re

from chainboot.trial.record import EntryRecord
from chainboot_vm import nixos, payload
from chainboot_vm.contents import Symlink, systemd_initrd
from chainboot_vm.disks import Disk
from chainboot_vm.machine import Machine
from chainboot_vm.nixos import Generation
from chainboot_vm.steps import payload_is_up
from chainboot_vm.systemd_root import GENERATION, NEEDS_PERSON, NEEDS_ROUTE
from chainboot_vm.trials import RECORD, SHOW, digest_of, record, type_command

# One try is enough to see what follows it.
SETTINGS = {"tries": 1, "trial_watchdog": 0, "trial_panic": 5, "retry_timeout_ds": 10}
WORDS = "console=ttysclp0 console=ttyS0 loglevel=4 systemd.show_status=no"


def _generation(number: int, *words: str) -> Generation:
    return Generation(number, " ".join((WORDS, *words, f"{GENERATION}={number}")), f"2024-06-{number:02} 12:00")


GOOD, BY_HAND, LAME = _generation(3), _generation(4, NEEDS_PERSON), _generation(5, NEEDS_ROUTE)


def _disk() -> Disk:
    files = dict(nixos.nixos_boot((GOOD, BY_HAND, LAME), timeout=10, directory=""))
    for other in (BY_HAND, LAME):
        files[f"nixos/{other.initrd_file}"] = Symlink(GOOD.initrd_file)
    files[f"nixos/{GOOD.initrd_file}"] = systemd_initrd()
    files[RECORD] = record(EntryRecord(digest_of(GOOD), good=True, boots=12))
    return Disk("trial-systemd", files, size_mib=160, kept=True)


DISKS = (_disk(),)


def _is_up(machine: Machine, generation: Generation, trial: tuple[int, int] | None) -> None:
    command_line, entry = generation.command_line(), digest_of(generation)
    payload_is_up(machine, str(generation.number), command_line, entry=entry, trial=trial)


def run(machine: Machine) -> None:
    machine.start(allow_reboot=True)

    # A required check fails: nothing is blessed, and the deadline ends it.
    _is_up(machine, LAME, (1, 1))
    machine.wait_for_console_text("check-route: there was no default route in 3 s")
    machine.wait_for_console_text(r"this boot is given up: not blessed within \d+ s of its start", 180)

    # The good one blesses itself, and knows why it is here.
    _is_up(machine, GOOD, None)
    machine.wait_for_console_text(re.escape("nixos-3-default is good (13 boots)"))
    why = r"not blessed within \d+ s of its start; failed: chainboot-check-route.service"
    type_command(machine, SHOW, says=rf"entry\|{digest_of(LAME)}\|.*{why}")
    type_command(machine, "chainboot status", says=rf"entry     2 nixos-5-default: bad.*: {why}")
    type_command(machine, "chainboot expire --reboot")
    type_command(machine, "chainboot next nixos-4-default")
    machine.send_console("systemctl reboot\n")

    # A person has to confirm, and does so before the deadline.
    _is_up(machine, BY_HAND, (1, 1))
    machine.wait_for_console_text(re.escape(payload.COMMANDS))
    waits = r"trial 1 of 1; it has not proved itself yet, \d+ seconds left until the machine restarts"
    type_command(machine, "chainboot status", says=waits)
    type_command(machine, "chainboot confirm", says=re.escape("nixos-4-default is good (1 boot)"))
    type_command(machine, "systemctl is-active chainboot-deadline.timer", 3, says="inactive")
    type_command(machine, "chainboot status", says="trial 1 of 1; it has proved itself")
