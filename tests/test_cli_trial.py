"""The verbs about trial boots, as they are typed in a running system: what they print, write and run."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fakes import FakeRunner
from nixos import KERNEL, extlinux_conf, label, write_root

from chainboot.arguments import parse_arguments
from chainboot.boot.candidate import candidates
from chainboot.boot.source import configurations
from chainboot.boot.volume import Volume
from chainboot.cli import main
from chainboot.errors import ChainbootError, NotFoundError, RefusedError
from chainboot.process import Completed
from chainboot.trial import store, transition
from chainboot.trial.entry_id import entry_id
from chainboot.trial.record import EntryRecord, Record, Request
from chainboot.trial_verbs import VERBS, Here, after_set_default

NOT_COUNTED = "this boot is not counted: no first stage that keeps a record has started it as an entry of its own"
SHOWN = "systemctl show chainboot-deadline.timer"
REBOOT = ("systemctl", "reboot", "-i")
FAILED = Completed((), 1, stderr="no")


@dataclass
class System:
    """A booted system: its /boot below `root`, its kernel's command line and its /run/chainboot."""

    root: Path
    here: Here
    runner: FakeRunner
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        options = parse_arguments([words[0], "--root", str(self.root), *words[1:]])
        code = VERBS[options.verb](options, self.here)
        told = self.capture.readouterr()
        return code, told.out, told.err.replace(str(self.root), "")

    def digest(self, name: str) -> str:
        among = candidates(configurations(root=str(self.root)))
        return next(entry_id(each.entry) for each in among if each.entry.label == name)

    def runs(self, name: str | None, *words: str) -> None:
        entry = [] if name is None else [f"chainboot.entry={self.digest(name)}"]
        Path(self.here.cmdline).write_text(" ".join(["init=/x", *entry, *words]) + "\n")

    def record(self) -> Record | None:
        return store.read(Volume(str(self.root), "the disk"), "/boot/chainboot/trials").record

    def write(self, record: Record) -> None:
        store.update(str(self.root), "/boot/chainboot/trials", lambda _: record, create=True)

    def good(self, *names: str) -> None:
        self.write(Record(entries=tuple(EntryRecord(self.digest(name), good=True, boots=3) for name in names)))


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Somebody else has the lock of the record, longer than anybody waits."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@pytest.fixture
def system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> System:
    blocks = [label("nixos-default", "Default", "n=5"), label("nixos-5-default", "Five", "n=5")]
    blocks += [label(f"nixos-{n}-default", f"Number {n}", f"n={n}") for n in (4, 3)]
    root = write_root(tmp_path / "disk", extlinux_conf(*blocks))
    runner = FakeRunner()
    here = Here(runner, str(tmp_path / "cmdline"), str(tmp_path / "run"), sleep=lambda _: None)
    made = System(root, here, runner, capsys)
    made.runs("nixos-5-default", "chainboot.trial=1/2")
    return made


# bless and confirm


@pytest.mark.parametrize("verb", ["bless", "confirm"])
def test_a_trial_that_proves_itself(system: System, verb: str) -> None:
    assert system(verb) == (0, "", "chainboot: nixos-default = nixos-5-default is good (1 boot)\n")
    record = system.record()
    assert record is not None
    assert record.entries[0].good
    assert [command[-1] for command in system.runner.commands] == ["chainboot-deadline.timer", "chainboot-login.path"]
    again = "chainboot: nixos-default = nixos-5-default has been blessed in this boot already\n"
    assert system(verb) == (0, "", again)


def test_where_nothing_is_counted_there_is_nothing_to_bless(system: System) -> None:
    system.runs(None)
    assert system("bless") == (0, "", f"chainboot: nothing was done: {NOT_COUNTED}\n")
    with pytest.raises(RefusedError) as raised:
        system("confirm")
    assert raised.value.message == f"there is nothing to confirm: {NOT_COUNTED}"
    assert system("expire", "--reboot") == (0, "", "chainboot: this boot is no trial: it goes on\n")
    assert (system.record(), system.runner.commands) == (None, [])


def test_the_first_stage_has_not_booted_anything(system: System) -> None:
    runtime = Path(system.here.runtime)
    runtime.mkdir()
    (runtime / "first-stage").touch()
    for verb in ("bless", "confirm", "expire", "status"):
        with pytest.raises(RefusedError, match="this is the first stage"):
            system(verb)


def test_a_login_over_ssh_confirms(system: System) -> None:
    nobody = "chainboot: nobody is logged in over SSH whose login counts: nothing was done\n"
    assert system("confirm", "--by-login") == (0, "", nobody)
    assert system.record() is None
    told = "Remote=yes\nService=sshd\nClass=user\nState=active\nName=alice\nRemoteHost=192.0.2.9\n"
    system.runner.answers = {
        "loginctl list-sessions": Completed((), 0, "7 1000 alice - -\n"),
        "loginctl show-session": Completed((), 0, told),
    }
    assert system("confirm", "--by-login", "--besides", "alice") == (0, "", nobody)
    code, _, said = system("confirm", "--by-login", "--besides", "boot")
    assert (code, said.splitlines()[0]) == (0, "chainboot: alice from 192.0.2.9 is logged in over SSH")
    assert system.record() is not None


def test_a_blessing_that_may_not_last_still_stops_what_would_end_this_boot(system: System) -> None:
    system.runs("nixos-5-default", "chainboot.trial=1/2", "chainboot.watchdog=i6300esb:600")
    system.good("nixos-5-default")
    with hold(system.root / "boot/chainboot/trials"), pytest.raises(RefusedError):
        system("bless")
    assert any("chainboot-deadline.timer" in command for command in system.runner.commands)


# expire


def test_a_trial_that_does_not_prove_itself_restarts_the_machine(system: System) -> None:
    system.write(transition.start(Record(), system.digest("nixos-5-default"), 2, 1_790_000_000))
    code, _, said = system("expire", "--reboot")
    assert code == 0
    assert said.startswith("chainboot: this boot is given up: not blessed within ")
    assert system.runner.commands[-1] == REBOOT
    record = system.record()
    assert record is not None
    assert record.expired
    assert record.entries[0].why.startswith("not blessed within ")
    with pytest.raises(RefusedError, match="too late"):
        system("confirm")


def test_the_record_says_what_was_missing(system: System) -> None:
    system.write(transition.start(Record(), system.digest("nixos-5-default"), 2, 1_790_000_000))
    failed = "chainboot-check-route.service loaded failed failed x\n"
    system.runner.answers = {"systemctl list-units": Completed((), 0, failed)}
    system("expire", "--why", "nobody confirmed\x1bit")
    record = system.record()
    assert record is not None
    why = record.entries[0].why
    assert why.startswith("nobody confirmed\N{REPLACEMENT CHARACTER}it within ")
    assert why.endswith(" s of its start; failed: chainboot-check-route.service")
    assert REBOOT not in system.runner.commands, "nobody asked for it"


def test_a_boot_that_is_blessed_or_is_no_trial_stays(system: System) -> None:
    system("bless")
    system("expire", "--reboot")
    system.runs("nixos-4-default")
    system("expire", "--reboot")
    assert REBOOT not in system.runner.commands


def test_without_its_configuration_the_machine_restarts_all_the_same(system: System) -> None:
    (system.root / "boot/extlinux/extlinux.conf").unlink()
    system.runner.answers = {" ".join(REBOOT): FAILED}
    code, _, said = system("expire", "--reboot")
    assert code == 0
    assert "its configuration was not found" in said
    assert system.runner.commands[-1] == ("systemctl", "reboot", "--force")


# next and rollback


def test_next_asks_for_an_entry_until_the_default_changes(system: System) -> None:
    system.good("nixos-5-default")
    code, out, said = system("next", "nixos-4-default")
    assert (code, out) == (0, "")
    assert said == "chainboot: nixos-4-default boots from now on, until the default of the configuration changes\n"
    record = system.record()
    assert record is not None
    assert record.request is not None
    assert record.request.digest == system.digest("nixos-4-default")
    assert record.request.instead_of == system.digest("nixos-default")
    assert not record.request.once
    assert record.request.who


def test_next_for_one_boot_and_withdrawn(system: System) -> None:
    assert json.loads(system("next", "4", "--once", "--json")[1]) == {"next": "nixos-3-default", "once": True}
    record = system.record()
    assert record is not None
    assert record.request is not None
    assert (record.request.once, record.request.instead_of) == (True, "")
    assert json.loads(system("next", "--clear", "--json")[1]) == {"next": None, "once": False}
    record = system.record()
    assert record is not None
    assert record.request is None
    assert system("next", "--clear")[2] == "chainboot: nothing was asked for; nothing was written\n"


def test_next_gives_a_bad_entry_fresh_tries(system: System) -> None:
    system.runs("nixos-4-default", "chainboot.trial=1/3")
    five = system.digest("nixos-5-default")
    system.write(Record(entries=(EntryRecord(five, tries_done=2, why="it hung"),)))
    system("next", "nixos-5-default", "--once")
    record = system.record()
    assert record is not None
    assert record.entries[0].bad, "one boot is no pardon"
    system("next", "nixos-5-default")
    record = system.record()
    assert record is not None
    assert record.entries[0] == EntryRecord(five, tries_left=2)


@pytest.mark.parametrize("words", [(), ("4", "--clear"), ("--clear", "--once"), ("--once",)])
def test_next_wants_an_entry_or_to_be_withdrawn(system: System, words: tuple[str, ...]) -> None:
    with pytest.raises(ChainbootError, match="`next` takes an ENTRY"):
        system("next", *words)
    assert system.record() is None


def test_next_takes_what_is_there_and_can_boot(system: System) -> None:
    with pytest.raises(NotFoundError):
        system("next", "nixos-9-default")
    (system.root / "boot/nixos" / KERNEL).unlink()
    with pytest.raises(RefusedError, match="nixos-4-default cannot be booted: kernel: "):
        system("next", "nixos-4-default")
    assert system.record() is None


def test_the_first_wish_proves_the_running_entry_too(system: System) -> None:
    system.runs("nixos-5-default", "chainboot.trial=1/2", "chainboot.watchdog=i6300esb:600")
    code, _, said = system("next", "nixos-4-default", "--once")
    assert (code, said.splitlines()[0]) == (0, "chainboot: nixos-default = nixos-5-default is good (1 boot)")
    record = system.record()
    assert record is not None
    assert record.request is not None
    known = record.find(system.digest("nixos-default"))
    assert known is not None
    assert known.good, "what runs here may have nothing that blesses it, and trials begin with the record"
    assert any("chainboot-deadline.timer" in command for command in system.runner.commands)
    (system.root / "boot/chainboot/trials").unlink()
    system("next", "nixos-4-default", "--once")
    record = system.record()
    assert record is not None
    again = record.find(system.digest("nixos-default"))
    assert again is not None
    assert replace(again, since=known.since) == known, "also where it was blessed in this boot before"


def test_where_nothing_is_counted_no_wish_turns_trials_on(system: System) -> None:
    system.runs(None)
    for words in (("next", "4", "--once"), ("next", "4")):
        with pytest.raises(RefusedError, match="there is no record of trials, and this boot is not counted") as raised:
            system(*words)
        assert raised.value.hint is not None
        assert "`chainboot bless`" in raised.value.hint
    assert system.record() is None


def test_what_was_asked_for_in_another_configuration_is_withdrawn_too(system: System) -> None:
    other = system.root / "extlinux"
    other.mkdir()
    (other / "extlinux.conf").write_text("DEFAULT b\n" + label("b", "B", "n=9"))
    system.good("nixos-5-default")
    b = system.digest("b")
    record = Record(entries=(EntryRecord(b, good=True),), request=Request(b, once=False, instead_of=b))
    store.update(str(system.root), "/chainboot/trials", lambda _: record, create=True)
    assert system("next", "--clear")[2] == "chainboot: nothing is asked for any more: the default boots\n"
    cleared = store.read(Volume(str(system.root), "the disk"), "/chainboot/trials").record
    assert cleared is not None
    assert cleared.request is None


def test_who_was_not_counted_is_told_that_it_may_be_for_nothing(system: System) -> None:
    system.good("nixos-5-default")
    system.runs(None)
    note = f"chainboot: note: {NOT_COUNTED}; one that keeps no record will not do what was asked for\n"
    assert system("next", "nixos-4-default")[2].startswith(note)


def test_rollback_takes_the_newest_good_entry_that_does_not_run(system: System) -> None:
    system.good("nixos-3-default", "nixos-4-default", "nixos-5-default")
    assert json.loads(system("rollback", "--json")[1]) == {"next": "nixos-4-default", "once": False}
    system.runs("nixos-4-default")
    assert json.loads(system("rollback", "--json")[1])["next"] == "nixos-5-default"
    system.runs(None)
    assert json.loads(system("rollback", "--json")[1])["next"] == "nixos-4-default", "the default may run"


def test_rollback_needs_another_good_entry(system: System) -> None:
    for _ in range(2):
        with pytest.raises(NotFoundError, match="no other entry that is known to be good"):
            system("rollback")
        system.good("nixos-5-default")


# set-default


def test_a_new_default_is_the_last_word(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    system("next", "nixos-4-default")
    three = system.digest("nixos-3-default")
    record = system.record()
    assert record is not None
    system.write(Record(entries=(EntryRecord(three, tries_done=2),), request=record.request))
    for again in range(2):
        with pytest.raises(SystemExit) as left:
            main(["set-default", "--root", str(system.root), "nixos-3-default", "--force"])
        assert left.value.code == 0
        record = system.record()
        assert record is not None
        assert record.request is None
        assert record.entries == (EntryRecord(three, tries_left=2),)
        capsys.readouterr()
        if not again:  # what is the default already counts as asked for too
            system.write(Record(record.sequence, (EntryRecord(three, tries_done=2),), request=None))


def test_a_default_is_set_also_where_the_record_cannot_be_written(system: System) -> None:
    system("next", "nixos-4-default")
    os_path = system.root / "boot/chainboot/trials"
    data = os_path.read_bytes()
    os_path.write_bytes(data.replace(b"chainboot-trials 1 ", b"chainboot-trials 9 "))
    among = candidates(configurations(root=str(system.root)))
    after_set_default(among[2])
    assert "chainboot-trials 9 " in os_path.read_text()


def test_a_default_that_changes_nothing_in_the_record_is_not_written(
    system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    system.good("nixos-4-default")
    place = system.root / "boot/chainboot/trials"
    before = place.stat().st_mtime_ns
    data = place.read_bytes()
    with hold(place):  # as where somebody may not write
        after_set_default(candidates(configurations(root=str(system.root)))[2])
    assert (place.read_bytes(), place.stat().st_mtime_ns) == (data, before)
    assert capsys.readouterr().err == ""


def test_a_default_makes_no_record(system: System) -> None:
    after_set_default(candidates(configurations(root=str(system.root)))[2])
    assert system.record() is None


# status


def test_status_says_what_was_booted_and_how_long_is_left(system: System) -> None:
    system.runs("nixos-5-default", "chainboot.trial=1/2", "chainboot.watchdog=i6300esb:600")
    system.write(transition.start(Record(), system.digest("nixos-5-default"), 2, 1_790_000_000))
    system.runner.answers = {SHOWN: Completed((), 0, "ActiveState=active\nNextElapseUSecMonotonic=9y\n")}
    told = json.loads(system("status", "--json")[1])
    trial = told["trial"]
    assert told["runs"] == trial["labels"] == ["nixos-default", "nixos-5-default"]
    assert trial["entry"] == system.digest("nixos-5-default")
    assert (trial["state"], trial["try"], trial["tries"]) == ("waits", 1, 2)
    assert trial["seconds_left"] > 1_000_000
    assert trial["watchdog"] == {"driver": "i6300esb", "seconds": 600}
    assert trial["record"] == f"{system.root}/boot/chainboot/trials"
    assert trial["next"]["label"] == "nixos-default"
    assert [each["trials"]["standing"] for each in trial["entries"]] == ["trial", "trial", "new", "new"]
    text = system("status")[1]
    assert f"booted    {trial['entry']}, trial 1 of 2; it has not proved itself yet, " in text
    assert "watchdog  i6300esb, armed by the first stage for 600 seconds\n" in text
    assert "entry     3 nixos-4-default: never booted\n" in text
    system("bless")
    trial = json.loads(system("status", "--json")[1])["trial"]
    assert (trial["state"], trial["seconds_left"]) == ("blessed", None)
    assert trial["entries"][0]["trials"]["boots"] == 1
    assert "trial 1 of 2; it has proved itself\n" in system("status")[1]


def test_status_without_a_configuration_says_what_is_known(system: System) -> None:
    system.runs("nixos-5-default", "chainboot.trial=1/2", "chainboot.watchdog=i6300esb:600")
    system.runner.answers = {SHOWN: Completed((), 0, "ActiveState=active\nNextElapseUSecMonotonic=9y\n")}
    (system.root / "boot/extlinux/extlinux.conf").unlink()
    text = system("status")[1]
    assert ", trial 1 of 2; it has not proved itself yet, " in text
    assert "watchdog  i6300esb, armed by the first stage for 600 seconds\n" in text
    assert "problem   no extlinux configuration was found in " in text
    assert "`systemctl stop chainboot-deadline.timer` lets this system run on\n" in text
    told = json.loads(system("status", "--json")[1])["trial"]
    assert told["seconds_left"] > 1_000_000
    assert (told["record"], told["next"], told["entries"], told["state"]) == (None, None, [], "waits")
    with pytest.raises(NotFoundError) as raised:
        system("confirm")
    assert raised.value.hint == "`systemctl stop chainboot-deadline.timer` lets this system run on"
    system.runs(None)
    with pytest.raises(NotFoundError):
        system("status")


def test_status_where_nothing_is_counted(system: System) -> None:
    system.runs(None)
    told = json.loads(system("status", "--json")[1])["trial"]
    assert (told["entry"], told["state"], told["record"], told["entries"]) == (None, None, None, [])
    assert told["next"] == {"index": 1, "label": "nixos-default", "why": None, "once": False}
    text = system("status")[1]
    assert f"booted    {NOT_COUNTED}\n" in text
    assert "record    " in text
    assert ", which is not there: nothing is counted before the first blessing\n" in text


def test_status_of_a_boot_that_was_given_up_and_of_a_good_one(system: System) -> None:
    system("expire")
    assert "; given up: it is not blessed any more\n" in system("status")[1]
    system.runs("nixos-4-default")
    (Path(system.here.runtime) / "expired").unlink()
    system.good("nixos-4-default")
    assert ", a good entry\n" in system("status")[1]
    system.runs("nixos-4-default", "chainboot.trial=2/2")
    assert "it has not proved itself yet, no deadline is set\n" in system("status")[1]


def test_status_says_what_was_asked_for(system: System) -> None:
    system.good("nixos-3-default")
    system("next", "nixos-3-default", "--once")
    following = json.loads(system("status", "--json")[1])["trial"]["next"]
    assert (following["label"], following["once"]) == ("nixos-3-default", True)
    assert following["why"].startswith("nixos-3-default was asked for by ")


def test_every_field_is_documented(system: System) -> None:
    system.runs("nixos-5-default", "chainboot.trial=1/2", "chainboot.watchdog=i6300esb:600")
    system.good("nixos-4-default")
    page = (Path(__file__).parents[1] / "docs/json.md").read_text()
    section = page.partition("## chainboot status --json")[2].partition("\n## ")[0]
    trial = json.loads(system("status", "--json")[1])["trial"]
    shown = {*trial, *trial["watchdog"], *trial["next"], *trial["entries"][0]}
    assert not {name for name in shown if f"`{name}`" not in section}


def test_the_list_says_how_entries_stand(system: System) -> None:
    for wanted in (None, {"nixos-4-default": "good"}):
        with pytest.raises(SystemExit):
            main(["list", "--root", str(system.root), "--json"])
        entries = json.loads(system.capture.readouterr().out)["entries"]
        stand = {each["label"]: each["trials"]["standing"] for each in entries if each["trials"]}
        assert {name: known for name, known in stand.items() if known == "good"} == (wanted or {})
        assert len(stand) == (4 if wanted else 0)
        system.good("nixos-4-default")
    with pytest.raises(SystemExit):
        main(["list", "--root", str(system.root)])
    assert "  [good (3 boots)]" in system.capture.readouterr().out


# the command itself


def test_the_verbs_are_in_the_help_and_late(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"\n    {verb} " in shown for verb in VERBS)
