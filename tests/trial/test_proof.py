"""A boot that proves itself, and one that is given up: what the record says then, and what else is left behind."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from nixos import KERNEL, extlinux_conf, label, write_root

from chainboot.boot.candidate import candidates
from chainboot.boot.source import configurations
from chainboot.boot.volume import Volume
from chainboot.errors import RefusedError
from chainboot.trial import store, transition
from chainboot.trial.entry_id import entry_id
from chainboot.trial.proof import Home, Life, State, find_home, read_booted
from chainboot.trial.record import EntryRecord, Record, Request
from chainboot.trial.words import Booted

NOW = 1_790_000_000
GONE = "0123456789abcdef"


@dataclass
class System:
    """A booted system whose /boot is in `root`."""

    root: Path
    runtime: str

    def home(self, digest: str = "") -> Home:
        found = configurations(root=str(self.root))
        return find_home(found, candidates(found), digest)

    def digest(self, name: str) -> str:
        return next(entry_id(each.entry) for each in self.home().among if each.entry.label == name)

    def life(self, name: str, trial: tuple[int, int] | None = (1, 2), now: int = NOW) -> Life:
        return Life(Booted(self.digest(name), trial), self.runtime, now=lambda: now, uptime=lambda: 601.4)

    def record(self) -> Record | None:
        return store.read(Volume(str(self.root), "the disk"), self.home().path).record

    def of(self, name: str) -> EntryRecord | None:
        record = self.record()
        assert record is not None
        return record.find(self.digest(name))

    def write(self, record: Record) -> None:
        store.update(str(self.root), self.home().path, lambda _: record, create=True)


@pytest.fixture
def system(tmp_path: Path) -> System:
    conf = extlinux_conf(
        label("nixos-default", "Default", "n=5"),
        label("nixos-5-default", "Five", "n=5"),
        label("nixos-4-default", "Four", "n=4"),
        label("nixos-3-default", "Three", "n=3"),
    )
    return System(write_root(tmp_path / "disk", conf), str(tmp_path / "run/chainboot"))


def started(system: System, name: str = "nixos-5-default", tries: int = 2) -> Life:
    """The first stage has started this entry, on a trial."""
    system.write(transition.start(Record(), system.digest(name), tries, NOW - 100))
    return system.life(name)


def test_a_blessing_makes_the_record_where_there_is_none(system: System) -> None:
    life = system.life("nixos-5-default")
    assert life.state is State.WAITS
    assert life.bless(system.home()) == ("nixos-default = nixos-5-default is good (1 boot)",)
    assert system.of("nixos-5-default") == EntryRecord(system.digest("nixos-default"), good=True, boots=1, since=NOW)
    assert (system.root / "boot/chainboot/trials").stat().st_size == 32768
    assert life.state is State.BLESSED


def test_a_trial_that_is_blessed_is_good_and_no_longer_started(system: System) -> None:
    life = started(system)
    life.bless(system.home())
    record = system.record()
    assert record is not None
    assert (record.started, record.expired) == ("", False)
    assert record.entries[0].good


def test_a_boot_counts_once_however_often_it_is_blessed(system: System) -> None:
    life = system.life("nixos-4-default", trial=None)
    assert life.state is State.GOOD
    life.bless(system.home())
    assert life.bless(system.home()) == ("nixos-4-default has been blessed in this boot already",)
    known = system.of("nixos-4-default")
    assert known is not None
    assert known.boots == 1
    (Path(system.runtime) / "blessed").unlink()  # as the next boot finds it
    assert life.bless(system.home()) == ("nixos-4-default is good (2 boots)",)


def test_what_the_configuration_has_no_more_is_forgotten_but_for_what_runs(system: System) -> None:
    four = system.digest("nixos-4-default")
    system.write(Record(entries=(EntryRecord(GONE, good=True, boots=3), EntryRecord(four, good=True, boots=7))))
    system.life("nixos-3-default").bless(system.home())
    record = system.record()
    assert record is not None
    assert [entry.digest for entry in record.entries] == [system.digest("nixos-3-default"), four]
    running = Life(Booted("f" * 16), f"{system.runtime}-2", now=lambda: NOW)
    assert running.bless(system.home("f" * 16)) == (f"the entry {'f' * 16} is good (1 boot)",)
    record = system.record()
    assert record is not None
    assert record.find("f" * 16) is not None


def test_a_boot_that_was_given_up_says_so_and_is_not_blessed_any_more(system: System) -> None:
    life = started(system)
    over, said = life.expire(system.home(), "not blessed within 600 s")
    assert (over, said) == (True, ("this boot is given up: not blessed within 600 s",))
    record = system.record()
    assert record is not None
    assert (record.started, record.expired) == (system.digest("nixos-5-default"), True)
    assert record.entries[0].why == "not blessed within 600 s"
    assert life.state is State.EXPIRED
    before = record
    with pytest.raises(RefusedError, match="too late"):
        life.bless(system.home())
    assert system.record() == before


def test_what_an_earlier_boot_was_given_up_for_does_not_count(system: System) -> None:
    started(system).expire(system.home(), "not blessed within 600 s")
    later = Life(Booted(system.digest("nixos-5-default"), (2, 2)), f"{system.runtime}-2", now=lambda: NOW)
    assert later.bless(system.home()) == ("nixos-default = nixos-5-default is good (1 boot)",)
    record = system.record()
    assert record is not None
    assert (record.started, record.expired) == ("", False)


def test_a_boot_that_is_given_up_while_the_record_is_waited_for_is_not_blessed(system: System) -> None:
    life = started(system)

    class Slow(store.System):
        def lock(self, descriptor: int) -> bool:
            life.expire(None, "x")
            return super().lock(descriptor)

    slow = Life(life.booted, system.runtime, now=lambda: NOW, calls=Slow())
    with pytest.raises(RefusedError, match="too late"):
        slow.bless(system.home())
    record = system.record()
    assert record is not None
    assert not record.entries[0].good


@pytest.mark.parametrize("what", ["good", "blessed"])
def test_a_boot_that_is_no_trial_or_is_blessed_goes_on(system: System, what: str) -> None:
    life = started(system) if what == "blessed" else system.life("nixos-5-default", trial=None)
    if what == "blessed":
        life.bless(system.home())
    before = system.record()
    over, said = life.expire(system.home(), "not blessed within 600 s")
    assert not over
    assert said[0].endswith("it goes on")
    assert system.record() == before
    assert life.state is not State.EXPIRED


def test_a_blessing_that_comes_while_the_record_is_waited_for_counts(system: System) -> None:
    life = started(system)
    elsewhere = Life(life.booted, f"{system.runtime}-other", now=lambda: NOW)
    elsewhere.bless(system.home())
    assert life.state is State.WAITS, "its mark is not seen"
    assert life.expire(system.home(), "x") == (False, ("this boot has proved itself: it goes on",))
    assert life.state is State.WAITS, "it is not given up"


def test_a_record_that_cannot_be_written_keeps_no_trial_alive(system: System) -> None:
    life = system.life("nixos-5-default")
    over, said = life.expire(system.home(), "not blessed within 600 s")
    place = f"{system.root}/boot/chainboot/trials"
    assert over
    assert said == (
        "this boot is given up: not blessed within 600 s",
        f"the record does not say so: {place} was not changed: there is no record of trials",
    )
    assert life.state is State.EXPIRED
    assert Life(life.booted, f"{system.runtime}-2").expire(None, "x") == (
        True, ("this boot is given up: x", "the record does not say so: its configuration was not found")
    )  # fmt: skip


def test_what_the_record_could_not_take_is_remembered_until_the_restart(system: System) -> None:
    life = system.life("nixos-5-default")
    life.expire(None, "not blessed within 600 s")
    with pytest.raises(RefusedError, match="it is too late: this boot has been given up"):
        life.bless(system.home())
    assert system.record() is None


def test_a_blessing_that_cannot_be_written_is_none(system: System) -> None:
    life = system.life("nixos-5-default")
    (system.root / "boot/chainboot").write_text("a file in the way")
    with pytest.raises(RefusedError, match="was not changed"):
        life.bless(system.home())
    assert life.state is State.WAITS


def test_a_mark_that_cannot_be_left_is_a_sentence(system: System, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    life = Life(Booted(system.digest("nixos-4-default")), str(tmp_path / "file/chainboot"), now=lambda: NOW)
    said = life.bless(system.home())
    assert said[0] == "nixos-4-default is good (1 boot)"
    assert said[1].startswith(f"{tmp_path}/file/chainboot/blessed was not written: ")


def test_the_default_of_a_configuration(system: System) -> None:
    default = system.home().own_default
    assert default is not None
    assert default.entry.label == "nixos-default"


def test_the_home_is_the_configuration_that_has_the_entry(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", extlinux_conf(label("one", "One", "n=1"), default="one"))
    second = root / "extlinux"
    second.mkdir()
    (second / "extlinux.conf").write_text("DEFAULT b\n" + label("two", "Two", "n=2") + label("b", "B", "n=3"))
    found = configurations(root=str(root))
    among = candidates(found)
    for name, path, own in (("one", "/boot/chainboot/trials", "one"), ("two", "/chainboot/trials", "b")):
        digest = next(entry_id(each.entry) for each in among if each.entry.label == name)
        home = find_home(found, among, digest)
        assert (home.path, name in [each.entry.label for each in home.among]) == (path, True)
        assert len(home.among) == (1 if name == "one" else 2)
        assert home.own_default is not None
        assert home.own_default.entry.label == own
    assert find_home(found, among, GONE).path == "/boot/chainboot/trials"


def test_a_request_for_another_entry_outlives_the_blessing(system: System) -> None:
    wish = Request(system.digest("nixos-4-default"), once=True, who="alice")
    system.write(Record(entries=(EntryRecord(GONE),), request=wish))
    system.life("nixos-5-default").bless(system.home())
    record = system.record()
    assert record is not None
    assert record.request == wish


def test_what_the_command_line_says(tmp_path: Path) -> None:
    (tmp_path / "cmdline").write_text(f"init=/x chainboot.entry={GONE} chainboot.trial=2/3\n")
    booted = read_booted(str(tmp_path / "cmdline"))
    assert booted == Booted(GONE, (2, 3))
    assert read_booted(str(tmp_path / "absent")) is None


def test_a_kernel_that_is_gone_does_not_keep_a_system_from_its_blessing(system: System) -> None:
    (system.root / "boot/nixos" / KERNEL).unlink()
    assert system.life("nixos-5-default").bless(system.home())[0].endswith("is good (1 boot)")


def test_two_who_bless_at_the_same_time_count_one_boot(system: System) -> None:
    life = system.life("nixos-4-default", trial=None)

    class Slow(store.System):
        def sync(self, descriptor: int) -> None:
            time.sleep(0.3)  # the record is written, and the mark is not there yet
            super().sync(descriptor)

    first = Life(life.booted, system.runtime, now=lambda: NOW, calls=Slow())
    system.write(Record(entries=(EntryRecord(life.booted.digest, good=True, boots=1),)))
    home = system.home()
    with ThreadPoolExecutor(2) as pool:
        said = [each.result()[0] for each in [pool.submit(first.bless, home) for _ in range(2)]]
    assert sorted(said) == [
        "nixos-4-default has been blessed in this boot already",
        "nixos-4-default is good (2 boots)",
    ]


def test_what_cannot_be_read_now_is_not_forgotten(system: System) -> None:
    conf = system.root / "boot/extlinux/extlinux.conf"
    whole = conf.read_text()
    kept = Record(entries=(EntryRecord(GONE, good=True, boots=3),))
    system.write(kept)
    conf.write_text(f"INCLUDE more.conf\n{whole}")
    system.life("nixos-3-default").bless(system.home())
    found = configurations(root=str(system.root))
    conf.write_text(whole)
    elsewhere = Life(Booted(system.digest("nixos-4-default")), f"{system.runtime}-2", now=lambda: NOW)
    elsewhere.bless(find_home(found, candidates(found), "", whole=False))
    record = system.record()
    assert record is not None
    assert record.find(GONE) is not None
    Life(Booted(system.digest("nixos-4-default")), f"{system.runtime}-3", now=lambda: NOW).bless(system.home())
    record = system.record()
    assert record is not None
    assert record.find(GONE) is None
