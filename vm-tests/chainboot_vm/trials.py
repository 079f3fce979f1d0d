"""Machines whose generations are on trial: what each of them does by itself, and what the record says to begin with.

Knows the payloads, NixOS's labels and the lines of the record; knows nothing of QEMU.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from chainboot.extlinux.evaluation import resolve
from chainboot.extlinux.parser import parse
from chainboot.trial.entry_id import entry_id
from chainboot.trial.record import EntryRecord, Record
from chainboot.trial.slots import encode
from chainboot_vm import nixos, payload
from chainboot_vm.contents import Contents, Node, payload_initrd, system_initrd
from chainboot_vm.disks import Disk
from chainboot_vm.machine import Machine
from chainboot_vm.nixos import Generation
from chainboot_vm.steps import ENTER, payload_is_up

# Without panic=, which the first stage adds to a trial.
PARAMETERS = "console=ttysclp0 console=ttyS0 loglevel=4"

# Nobody waits half a minute for a machine that panicked.
SETTINGS: dict[str, str | int] = {"trial_panic": 1, "trial_watchdog": 0, "retry_timeout_ds": 10}

# Where it is on a partition for /boot, and where the running system sees it.
RECORD = "chainboot/trials"
_RECORD = f"/boot/{RECORD}"

# Prints the record as lines with fields between bars; the second of two slots may be an older one.
SHOW = f"grep -a . {_RECORD} | tr '\\t' '|'"

# -- what a generation that has chainboot does by itself

BLESS = "ran chainboot bless"
NEVER = ""

# -- what one without does

PANICS = "echo c >/proc/sysrq-trigger"
RESETS = "/bin/busybox reboot -f"
POWERS_OFF = "/bin/busybox poweroff -f"
HANGS = "while :; do :; done"

BOOTS = 12
SINCE = 1717243200  # 2024-06-01 12:00 UTC


def generation(number: int) -> Generation:
    """One of the generations of these machines; all have the same kernel."""
    return Generation(number, PARAMETERS, f"2024-06-{number:02} 12:00")


def label(number: int) -> str:
    """The label under which it is listed."""
    return f"nixos-{number}-default"


def digest(number: int) -> str:
    """The id of the entry of one of these generations."""
    return digest_of(generation(number))


def digest_of(given: Generation) -> str:
    """The id of the entry of any generation."""
    files = nixos.nixos_boot([given], directory="")
    text = files["extlinux/extlinux.conf"]
    assert isinstance(text, str)
    found = resolve(parse(text.encode(), "extlinux.conf"), lambda *_: None)
    return entry_id(found.entries[-1])


def system(number: int, behaviour: str = NEVER) -> Contents:
    """The initrd of a generation that has chainboot."""
    return system_initrd(str(number), behaviour)


def failing(number: int, behaviour: str) -> Contents:
    """The initrd of a generation that never gets as far as to have chainboot; it starts faster."""
    return payload_initrd(str(number), behaviour)


def known(number: int, *, good: bool = True, tries_left: int = 0, tries_done: int = 0, why: str = "") -> EntryRecord:
    """What the record says of a generation; without more that it is good, else that it is bad."""
    boots = BOOTS if good else 0
    return EntryRecord(digest(number), good, tries_left, tries_done, boots, SINCE, why)


def record(*entries: EntryRecord) -> bytes:
    """A record as a file: the second slot is the one that counts."""
    made = Record(1, entries)
    return encode(replace(made, sequence=0)) + encode(made)


def disk(
    name: str,
    initrds: Mapping[int, Contents],
    *,
    good: Collection[int] = (),
    timeout: int = 10,
    files: Mapping[str, Node] | None = None,
    size_mib: int = 96,
) -> Disk:
    """A partition for /boot that keeps what is written to it, with these generations.

    `good` are those that the record says are good; without any, and without one in `files`, there is no record.
    `timeout` is in tenths of a second. `name` is that of one scenario only.
    """
    generations = [generation(number) for number in initrds]
    made = dict(nixos.nixos_boot(generations, timeout=timeout, directory=""))
    made |= {f"nixos/{each.initrd_file}": initrds[each.number] for each in generations}
    if good:
        made[RECORD] = record(*map(known, good))
    return Disk(name, {**made, **(files or {})}, size_mib=size_mib, kept=True)


def read_only(made: Disk) -> Disk:
    """The same disk, write-protected."""
    return replace(made, read_only=True, kept=False)


# -- steps


def is_up(machine: Machine, number: int, *, trial: tuple[int, int] | None = None) -> None:
    """Wait for a generation that was started as itself: on try k of n for `trial` (k, n), else as a good one."""
    payload_is_up(machine, str(number), generation(number).command_line(), entry=digest(number), trial=trial)


def did(machine: Machine, command: str, code: int = 0) -> None:
    """Wait until a command that a generation runs by itself has ended, with this exit code."""
    machine.wait_for_console_text(re.escape(f"{payload.EXIT_CODE}{code}: {command}\n"))


def run(machine: Machine, command: str, code: int = 0, *, says: str = "") -> None:
    """Type a command to a generation that has chainboot. `says` is a regular expression for what it prints."""
    machine.wait_for_console_text(re.escape(payload.COMMANDS))
    type_command(machine, command, code, says=says)


def type_command(machine: Machine, command: str, code: int = 0, *, says: str = "") -> None:
    """The same where it is known to take commands."""
    machine.send_console(f"{command}\n")
    if says:
        machine.wait_for_console_text(says)
    did(machine, command, code)


def restart_when_ready(machine: Machine) -> None:
    """`restart` once it takes commands."""
    machine.wait_for_console_text(re.escape(payload.COMMANDS))
    restart(machine)


def restart(machine: Machine) -> None:
    """Let a generation that takes commands restart the machine."""
    machine.send_console(ENTER)


def in_record(which: int | str, state: str, *, left: int = 0, done: int = 0, boots: int = 0, why: str = ".*") -> str:
    """A line of `SHOW`: what the record says of a generation or of an id. `why` is a regular expression."""
    entry = which if isinstance(which, str) else digest(which)
    return rf"entry\|{entry}\|{state}\|{left}\|{done}\|{boots}\|\d+\|{why}\n"
