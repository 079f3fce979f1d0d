"""Disks whose generations are on trial: ids, records, payloads."""

from __future__ import annotations

import re

import pytest

from chainboot.trial.slots import decode
from chainboot_vm import contents, payload, soak_machine, steps, trials


def test_an_id_is_that_of_the_default_and_of_the_entry_by_its_own_name() -> None:
    ids = {trials.digest(number) for number in (3, 4, 5)}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in ids)
    assert soak_machine.digest(5) not in ids


def test_a_record_says_what_it_was_given() -> None:
    bad = trials.known(5, good=False, tries_done=2, why="it panicked")
    found = decode(trials.record(bad, trials.known(4)))
    assert found.problems == ()
    assert found.record is not None
    assert found.record.entries == (bad, trials.known(4))
    assert [entry.bad for entry in found.record.entries] == [True, False]


def test_a_disk_has_a_record_where_something_is_good() -> None:
    initrds = {5: trials.system(5, trials.BLESS), 4: trials.failing(4, trials.PANICS)}
    assert trials.RECORD not in trials.disk("without", initrds).files
    with_one = trials.disk("with", initrds, good=[4])
    assert with_one.kept
    files = dict(with_one.files)
    assert decode(bytes(files[trials.RECORD])).record is not None  # type: ignore[arg-type]
    name = trials.generation(5).initrd_file
    assert files[f"nixos/{name}"] == contents.system_initrd("5", trials.BLESS)


def test_what_a_generation_does_by_itself_is_a_file_of_its_mark() -> None:
    assert b"behaviour" not in payload.mark("5")
    marked = payload.mark("5", "ran chainboot bless")
    assert b"\nran chainboot bless" not in marked
    assert b"behaviour" in marked
    assert b"ran chainboot bless\n" in marked


def test_its_init_prints_the_lines_that_are_waited_for() -> None:
    script = payload.SYSTEM_INIT.read_text()
    for line in (payload.GENERATION, payload.COMMAND_LINE, payload.UP, payload.COMMANDS, payload.EXIT_CODE):
        assert line.rstrip() in script


ID = "0123456789abcdef"


@pytest.mark.parametrize(
    ("said", "trial", "holds"),
    [
        (f" chainboot.entry={ID}", None, True),
        (f" chainboot.entry={ID} chainboot.trial=1/2 panic=30", (1, 2), True),
        (f" chainboot.entry={ID} panic=1 chainboot.trial=1/2 chainboot.watchdog=i6300esb:60", (1, 2), True),
        (f" chainboot.entry={ID} chainboot.trial=1/2", None, False),
        (f" chainboot.entry={ID} chainboot.trial=2/2", (1, 2), False),
        (f" chainboot.entry={ID} chainboot.trial=1/22", (1, 2), False),
        (f" chainboot.entry={ID[::-1]}", None, False),
        ("", None, False),
        (f" chainboot.entry={ID} quiet", None, False),
    ],
)
def test_what_the_first_stage_adds_is_checked(said: str, trial: tuple[int, int] | None, holds: bool) -> None:
    line = f"{payload.COMMAND_LINE}quiet{said}\n"
    assert (re.search(steps.given("quiet", entry=ID, trial=trial), line) is not None) is holds


@pytest.mark.parametrize(
    ("said", "counted"), [("", False), (f" chainboot.entry={ID}", True), (" chainboot.entry=1", None), (" loud", None)]
)
def test_where_nobody_knows_the_id_it_is_any_or_none(said: str, counted: bool | None) -> None:
    line = f"{payload.COMMAND_LINE}quiet{said}\n"
    for each in (True, False):
        assert (re.search(steps.given("quiet", counted=each), line) is not None) is (each is counted)
