"""Which entry the timer takes once records are kept, and what the menu says of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from nixos import KERNEL, extlinux_conf, generation, label, write_root

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.volume import Configuration, Volume, read_configuration
from chainboot.session.choice import Autoboot, autoboot, identity, menu_items
from chainboot.session.trials import OFF, Trials, place_of
from chainboot.settings import Settings
from chainboot.trial.entry_id import entry_id
from chainboot.trial.record import EntryRecord, Record, Request
from chainboot.trial.store import Reading

SETTINGS = Settings(retry_timeout_ds=70, trial_window=300)

# nixos-default is generation 3 by another name; every generation has a command line of its own.
CONF = extlinux_conf(
    label("nixos-default", "NixOS - Default", "gen=3"),
    generation(3, parameters="gen=3"),
    generation(2, parameters="gen=2"),
    generation(1, parameters="gen=1"),
)
DEFAULT, THREE, TWO, ONE = range(4)
NAMES = ("nixos-default", "nixos-3-default", "nixos-2-default", "nixos-1-default")


def read(root: Path, conf: str = CONF) -> tuple[tuple[Configuration, ...], tuple[Candidate, ...]]:
    write_root(root, conf)
    configuration = read_configuration(Volume(str(root), "disk"), "/boot/extlinux/extlinux.conf")
    return (configuration,), candidates((configuration,))


def trials(found: tuple[Configuration, ...], record: Record | None, *, tries: int = 2) -> Trials:
    reading = Reading(record, missing=record is None)
    return Trials(tries, SETTINGS.trial_window, {place_of(configuration): reading for configuration in found})


def good(candidate: Candidate, boots: int = 1) -> EntryRecord:
    return EntryRecord(entry_id(candidate.entry), good=True, boots=boots)


def bad(candidate: Candidate, why: str = "") -> EntryRecord:
    return EntryRecord(entry_id(candidate.entry), tries_done=2, why=why)


def tried(candidate: Candidate) -> EntryRecord:
    return EntryRecord(entry_id(candidate.entry), tries_left=1, tries_done=1)


def test_without_a_record_everything_is_as_the_configuration_says(tmp_path: Path) -> None:
    found, among = read(tmp_path)
    for off in (OFF, trials(found, None), trials(found, Record(entries=(bad(among[DEFAULT]),)), tries=0)):
        assert autoboot(found, among, SETTINGS, {}, trials=off) == Autoboot(1, 50, default=1)
        assert [item.standing for item in menu_items(among, off)] == [""] * 4
    assert OFF.problems(found) == OFF.remarks(found) == ()
    assert trials(found, Record()).remarks(found) == ()
    assert trials(found, None).problems(found) == ()
    (said,) = trials(found, None).remarks(found)
    assert said == "Trials are off: disk has no record of them until a booted system has blessed itself."


def test_a_record_that_is_damaged_is_said_with_its_volume(tmp_path: Path) -> None:
    found, _ = read(tmp_path)
    damaged = Trials(2, 300, {place_of(found[0]): Reading(Record(), ("slot 1 is damaged",))})
    assert damaged.problems(found) == ("disk: slot 1 is damaged",)
    assert replace(damaged, tries=0).problems(found) == ()


@pytest.mark.parametrize(
    ("known", "index", "timeout_ds", "said"),
    [
        ({}, 1, 50, "nixos-default is new: trial 1 of 2."),
        ({DEFAULT: tried}, 1, 50, "nixos-default is on trial 2 of 2."),
        ({DEFAULT: good}, 1, 50, ""),
        (
            {DEFAULT: bad, TWO: good, ONE: good},
            3,
            70,
            "nixos-default is bad. nixos-2-default boots instead: it is the newest good entry.",
        ),
        (
            {DEFAULT: bad, TWO: bad, ONE: good},
            4,
            70,
            "nixos-default is bad. nixos-1-default boots instead: it is the newest good entry.",
        ),
        # What nobody has tried is no fallback where something is good, and none where nothing is.
        ({DEFAULT: bad, ONE: good}, 4, 70, "nixos-default is bad. nixos-1-default boots instead"),
        ({DEFAULT: bad}, 1, 3000, "nixos-default is bad. No entry is known to be good."),
        ({DEFAULT: bad, TWO: bad, ONE: bad}, 1, 3000, "nixos-default is bad. No entry is known to be good."),
    ],
)
def test_which_entry_boots_by_itself(
    tmp_path: Path, known: dict[int, object], index: int, timeout_ds: int, said: str
) -> None:
    found, among = read(tmp_path)
    entries = tuple(make(among[number]) for number, make in known.items() if callable(make))
    decided = autoboot(found, among, SETTINGS, {}, trials=trials(found, Record(entries=entries)))
    assert (decided.index, decided.timeout_ds) == (index, timeout_ds)
    assert decided.surprise.startswith(said) if said else decided.surprise == ""
    assert decided.default == index


def test_both_names_of_a_generation_stand_alike(tmp_path: Path) -> None:
    found, among = read(tmp_path)
    items = menu_items(
        among, trials(found, Record(entries=(good(among[THREE], 12), tried(among[TWO]), bad(among[ONE]))))
    )
    assert [item.standing for item in items] == ["good", "good", "trial 2 of 2", "bad"]
    assert items[DEFAULT].detail[0] == "trials  good (12 boots)"
    assert menu_items(among, trials(found, Record()))[ONE].detail[0] == "trials  never booted"


def test_an_entry_that_does_not_load_gives_way_to_a_good_one(tmp_path: Path) -> None:
    found, among = read(tmp_path)
    failed = {identity(among[number]): "no memory" for number in (DEFAULT, THREE)}
    record = Record(entries=(good(among[DEFAULT]), good(among[ONE])))
    decided = autoboot(found, among, SETTINGS, failed, trials=trials(found, record))
    assert decided.index == 4
    assert decided.surprise.startswith("nixos-default cannot boot: no memory.")
    failed[identity(among[ONE])] = "no memory either"
    decided = autoboot(found, among, SETTINGS, failed, trials=trials(found, record))
    assert decided.index == 3


def ask(candidate: Candidate, default: Candidate | None = None) -> Request:
    """For one boot, or to stay while the default is `default`."""
    digest = entry_id(candidate.entry)
    if default is None:
        return Request(digest, once=True, who="anna")
    return Request(digest, once=False, instead_of=entry_id(default.entry), who="anna")


def test_what_was_asked_for_comes_first(tmp_path: Path) -> None:
    found, among = read(tmp_path)
    known = (good(among[DEFAULT]), bad(among[TWO]))
    for request, index in (
        (ask(among[ONE]), 4),
        (ask(among[TWO]), 3),  # once, although it is bad
        (ask(among[ONE], among[DEFAULT]), 4),
        (ask(among[TWO], among[DEFAULT]), 1),
        (ask(among[ONE], among[TWO]), 1),  # the configuration has another default since
    ):
        decided = autoboot(found, among, SETTINGS, {}, trials=trials(found, Record(entries=known, request=request)))
        assert decided.index == index, request
        assert "anna" in decided.surprise
        assert decided.timeout_ds == 50


def test_what_was_asked_for_on_another_disk_does_not_count(tmp_path: Path) -> None:
    """Else whoever plugs in a disk with a configuration chooses what boots by itself."""
    (first,), _ = read(tmp_path / "a")
    (second,), _ = read(tmp_path / "b")
    found = (first, second)
    among = candidates(found)
    both = trials(found, Record(entries=(good(among[DEFAULT]),)))
    for request in (ask(among[4 + ONE]), ask(among[4 + ONE], among[4]), Request("0" * 16, once=False)):
        asked = {**both.readings, place_of(second): Reading(Record(request=request))}
        decided = autoboot(found, among, SETTINGS, {}, trials=replace(both, readings=asked))
        assert (decided.index, decided.surprise) == (1, "")


def two_disks(tmp_path: Path, first: Record, second: Record | None) -> tuple[tuple[Configuration, ...], Trials]:
    (one,), _ = read(tmp_path / "a")
    (other,), _ = read(tmp_path / "b")
    readings = {place_of(one): Reading(first), place_of(other): Reading(second, missing=second is None)}
    return (one, other), Trials(2, SETTINGS.trial_window, readings)


def test_where_nothing_is_good_on_one_disk_what_is_good_on_the_other_boots(tmp_path: Path) -> None:
    among = candidates(two_disks(tmp_path / "x", Record(), None)[0])
    spent = Record(entries=tuple(bad(among[number]) for number in (DEFAULT, TWO, ONE)))
    found, known = two_disks(tmp_path / "y", spent, Record(entries=(good(among[4 + ONE]), bad(among[4]))))
    decided = autoboot(found, candidates(found), SETTINGS, {}, trials=known)
    assert (decided.index, decided.timeout_ds) == (8, 70)
    assert decided.surprise.endswith("nixos-1-default of disk is known to be good.")


@pytest.mark.parametrize("second", [None, Record()])
def test_where_nothing_on_one_disk_can_boot_the_other_one_does(tmp_path: Path, second: Record | None) -> None:
    """As it does without trials: a second disk is there for that."""
    found, known = two_disks(tmp_path, Record(entries=(EntryRecord("0" * 16, tries_done=2),)), second)
    among = candidates(found)
    failed = {identity(each): "it is cut off" for each in among[:4]}
    assert autoboot(found, among, SETTINGS, failed).index == 5
    decided = autoboot(found, among, SETTINGS, failed, trials=known)
    assert (decided.index, decided.timeout_ds) == (5, 70)


def test_for_ever_stays_for_ever_and_nothing_good_may_wait_for_a_person(tmp_path: Path) -> None:
    found, among = read(tmp_path)
    record = Record(entries=(bad(among[DEFAULT]),))
    waits = replace(SETTINGS, trial_window=0)
    assert autoboot(found, among, waits, {}, trials=trials(found, record)).timeout_ds is None
    found, among = read(tmp_path / "for-ever", CONF.replace("TIMEOUT 50", "TIMEOUT 0"))
    for entries in ((), (bad(among[DEFAULT]),), (bad(among[DEFAULT]), good(among[ONE]))):
        decided = autoboot(found, among, SETTINGS, {}, trials=trials(found, Record(entries=entries)))
        assert decided.timeout_ds is None
        assert decided.index is not None


def test_arguments_of_ontimeout_are_those_of_its_entry_only(tmp_path: Path) -> None:
    found, among = read(tmp_path, f"{CONF}ONTIMEOUT nixos-2-default single\n")
    own = f"{among[TWO].cmdline} single"
    decided = autoboot(found, among, SETTINGS, {}, trials=trials(found, Record()))
    assert (decided.index, decided.cmdline, decided.default) == (3, own, 1)
    decided = autoboot(found, among, SETTINGS, {}, trials=trials(found, Record(entries=(good(among[TWO]),))))
    assert (decided.index, decided.cmdline, decided.default) == (3, own, 1)
    record = Record(entries=(bad(among[TWO]), good(among[ONE])))
    decided = autoboot(found, among, SETTINGS, {}, trials=trials(found, record))
    assert (decided.index, decided.cmdline) == (4, None)


def test_a_machine_that_cannot_boot_anything_tries_nothing(tmp_path: Path) -> None:
    found, among = read(tmp_path)
    decided = autoboot(found, among, SETTINGS, {}, ("kexec is off",), trials(found, Record()))
    assert decided.index is None


def test_the_newest_good_one_besides(tmp_path: Path) -> None:
    found, among = read(tmp_path)
    record = Record(entries=(good(among[DEFAULT]), good(among[ONE]), good(among[TWO])))
    known = trials(found, record)

    def besides(candidate: Candidate, *cannot: Candidate) -> str:
        one = known.good_besides(candidate, among, lambda each: "gone" if each in cannot else "")
        return one.entry.label if one is not None else ""

    assert besides(among[DEFAULT]) == NAMES[TWO]
    assert besides(among[TWO]) in NAMES[:2]
    assert besides(among[DEFAULT], among[TWO]) == NAMES[ONE]
    assert trials(found, None).good_besides(among[ONE], among, lambda _: "") is None
    assert KERNEL in CONF
