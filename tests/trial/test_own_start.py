"""A boot that the running system starts itself is counted where a record is kept, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from nixos import extlinux_conf, generation, write_root

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.host import Host
from chainboot.boot.volume import Volume, read_configuration
from chainboot.trial import store
from chainboot.trial.entry_id import entry_id
from chainboot.trial.own_start import LEFT, own_start
from chainboot.trial.record import EntryRecord, Record, Request
from chainboot.trial.transition import bless

NOW = 1_800_000_000
PATH = "/boot/chainboot/trials"
HOST = Host("x86_64", True, True, False, False, True, 1 << 30)


@pytest.fixture
def among(tmp_path: Path) -> tuple[Candidate, ...]:
    conf = extlinux_conf(generation(2, parameters="gen=2"), generation(1, parameters="gen=1"))
    root = write_root(tmp_path / "disk", conf)
    return candidates((read_configuration(Volume(str(root), "disk"), "/boot/extlinux/extlinux.conf"),))


def keep(among: tuple[Candidate, ...], wanted: Record) -> None:
    root = among[0].configuration.volume.root
    store.update(root, PATH, lambda before: replace(wanted, sequence=before.sequence), create=True)


def kept(among: tuple[Candidate, ...]) -> Record:
    record = store.read(among[0].configuration.volume, PATH).record
    assert record is not None
    return record


def test_without_a_record_nothing_is_counted(among: tuple[Candidate, ...]) -> None:
    assert own_start(among[0], HOST) is None
    assert not (Path(among[0].configuration.volume.root) / PATH[1:]).exists()


def test_a_try_is_spent_and_what_it_leaves_is_settled(among: tuple[Candidate, ...]) -> None:
    new, running = (entry_id(each.entry) for each in among)
    keep(among, Record(entries=(EntryRecord(running, tries_left=1, tries_done=1),), started=running))
    begun = own_start(among[0], HOST, lambda: NOW)
    assert begun is not None
    assert begun.words == f"chainboot.entry={new} chainboot.trial=1/2 panic=30"
    assert [step.what for step in begun.steps] == ["try 1 of 2 of nixos-2-default is spent"]
    assert begun.remarks == ("nixos-2-default: never booted",)
    assert kept(among).started == running  # nothing is written before it is loaded
    assert begun.write() == ""
    record = kept(among)
    assert record.started == new
    assert record.find(new) == EntryRecord(new, tries_left=1, tries_done=1, since=NOW)
    left = record.find(running)
    assert left is not None
    assert left.why == LEFT


def test_a_good_entry_is_told_who_it_is_and_nothing_is_written(among: tuple[Candidate, ...]) -> None:
    good = entry_id(among[0].entry)
    keep(among, Record(entries=(EntryRecord(good, good=True, boots=3),)))
    begun = own_start(among[0], HOST)
    assert begun is not None
    assert (begun.words, begun.steps) == (f"chainboot.entry={good}", ())
    before = kept(among)
    assert begun.write() == ""
    assert kept(among) == before


def test_a_record_that_cannot_be_written_is_a_sentence(among: tuple[Candidate, ...]) -> None:
    keep(among, Record(entries=(EntryRecord("0" * 16, tries_done=2),)))
    begun = own_start(among[0], HOST)
    assert begun is not None
    Path(f"{among[0].configuration.volume.root}{PATH}").unlink()
    assert begun.write().startswith("the record of trials was not written: ")


def test_words_that_do_not_fit_keep_nothing_from_booting(tmp_path: Path) -> None:
    conf = extlinux_conf(generation(2, parameters="x" * 1930))
    root = write_root(tmp_path / "disk", conf)
    one = candidates((read_configuration(Volume(str(root), "disk"), "/boot/extlinux/extlinux.conf"),))
    keep(one, Record(entries=(EntryRecord("0" * 16, tries_done=2),)))
    assert len(one[0].cmdline) < 2047 < len(one[0].cmdline) + 40
    assert own_start(one[0], HOST) is None


def test_a_machine_that_has_not_left_gets_everything_back(among: tuple[Candidate, ...]) -> None:
    new, running = (entry_id(each.entry) for each in among)
    wish = Request(new, once=True, who="alice")
    keep(among, Record(entries=(EntryRecord(running, tries_left=1, tries_done=1),), started=running, request=wish))
    before = kept(among)
    begun = own_start(among[0], HOST, lambda: NOW)
    assert begun is not None
    assert begun.undo() == "", "nothing was written yet"
    assert kept(among) == before
    assert begun.write() == ""
    assert kept(among).started == new
    assert begun.undo() == ""
    assert replace(kept(among), sequence=before.sequence) == before
    assert begun.undo() == ""


def test_what_others_have_written_since_stays(among: tuple[Candidate, ...]) -> None:
    new, running = (entry_id(each.entry) for each in among)
    keep(among, Record(entries=(EntryRecord(running, tries_left=1, tries_done=1),), started=running))
    begun = own_start(among[0], HOST, lambda: NOW)
    assert begun is not None
    begun.write()
    root = among[0].configuration.volume.root
    store.update(root, PATH, lambda record: bless(record, running, NOW))
    assert begun.undo() == ""
    record = kept(among)
    assert (record.started, record.find(new)) == (running, None)
    known = record.find(running)
    assert known is not None
    assert known.good


def test_what_cannot_be_given_back_is_a_sentence(among: tuple[Candidate, ...]) -> None:
    keep(among, Record(entries=(EntryRecord("0" * 16, tries_done=2),)))
    begun = own_start(among[0], HOST, lambda: NOW)
    assert begun is not None
    begun.write()
    Path(f"{among[0].configuration.volume.root}{PATH}").unlink()
    assert begun.undo().startswith("the try that was spent was not given back: ")
