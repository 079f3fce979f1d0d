"""A boot as the records count it: what is written when, what is armed, and that nothing of it strands a machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from nixos import extlinux_conf, generation, label
from session.sessions import ANNA, CONSOLE, NOW, Machine, Sitting

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.discovery import MOUNTS
from chainboot.boot.plan import BootPlan
from chainboot.boot.volume import Volume
from chainboot.process import Completed, Runner
from chainboot.session.attempt import Attempt
from chainboot.session.person import Person
from chainboot.session.trials import place_of
from chainboot.settings import Settings
from chainboot.trial import kept_log, store
from chainboot.trial.entry_id import entry_id
from chainboot.trial.evidence import NO_WORD, recall
from chainboot.trial.record import EntryRecord, Record, Request
from chainboot.trial.watchdog import Watchdog

CONF = extlinux_conf(
    label("nixos-default", "NixOS - Default", "gen=3"),
    generation(3, parameters="gen=3"),
    generation(2, parameters="gen=2"),
    generation(1, parameters="gen=1"),
)
DEFAULT, THREE, TWO, ONE = range(4)
PATH = "/boot/chainboot/trials"
TIMER = "the timer"


def entries(machine: Machine) -> tuple[Candidate, ...]:
    return candidates(machine.discover().configurations)


def digest_of(candidate: Candidate) -> str:
    return entry_id(candidate.entry)


def digest(machine: Machine, which: int) -> str:
    return digest_of(entries(machine)[which])


def keep(machine: Machine, *known: EntryRecord, started: str = "", request: Request | None = None) -> None:
    """A record on the disk."""
    other = EntryRecord("0" * 16, tries_done=2)  # a generation that is not there any more
    wanted = Record(entries=(*known, other), started=started, request=request)
    store.update(str(machine.disk), PATH, lambda before: replace(wanted, sequence=before.sequence), create=True)


def kept(machine: Machine) -> Record:
    reading = store.read(Volume(str(machine.disk), "vda"), PATH)
    assert reading.record is not None
    return reading.record


def good(machine: Machine, which: int) -> EntryRecord:
    return EntryRecord(digest(machine, which), good=True, boots=1)


def boot(sitting: Sitting, which: int = DEFAULT, cmdline: str | None = None, *, by: str = "") -> str:
    machine = sitting.machine
    return sitting.departure.boot(entries(machine)[which], cmdline, machine.discover(), by=by)


def writes(machine: Machine) -> int:
    """How often a volume was made writable."""
    return sum(command[0] == "mount" and "rw,nodev,nosuid,noexec" in command for command in machine.commands)


def added(machine: Machine, which: int = DEFAULT) -> str:
    """What the command line of the last load has beside the entry's own."""
    own = f"--command-line={entries(machine)[which].cmdline}"
    assert machine.loads()[-1].startswith(own)
    return machine.loads()[-1].removeprefix(own)


class Counted(Sitting):
    """A session whose boots are counted. `left` is the record as it is when the machine jumps, if it does."""

    def __init__(self, machine: Machine, person: Person = CONSOLE, *, settings: Settings | None = None) -> None:
        super().__init__(machine, person, settings=settings, counted=True)
        self.left: Record | None = None

    def leave(self, plan: BootPlan, run: Runner, say: Callable[[str], None]) -> None:
        if (self.machine.disk / PATH[1:]).exists():
            self.left = kept(self.machine)
        super().leave(plan, run, say)

    def jumped(self) -> Record:
        assert self.left is not None
        return self.left


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, CONF)


def test_without_a_record_nothing_is_written_and_the_system_is_told_who_it_is(machine: Machine) -> None:
    sitting = Counted(machine)
    boot(sitting)
    assert added(machine) == f" chainboot.entry={digest(machine, DEFAULT)}"
    assert writes(machine) == 0
    assert not (machine.disk / "boot/chainboot").exists()


def test_what_people_did_before_a_boot_is_kept_with_a_good_entry_too(machine: Machine) -> None:
    keep(machine, good(machine, DEFAULT))
    sitting = Counted(machine)
    sitting.log.write("anna", "opened the menu")
    boot(sitting)
    assert writes(machine) == 1
    lines = kept_log.tail(machine.discover().volumes[0], "/boot/chainboot", 20)
    assert [line.partition(" ")[2] for line in lines] == [
        "anna: opened the menu",
        "somebody at ttyS0: boots nixos-default",
    ]


def test_where_trials_are_off_nothing_is_added(machine: Machine) -> None:
    keep(machine, EntryRecord(digest(machine, DEFAULT), tries_done=2))
    boot(Counted(machine, settings=Settings(tries=0)))
    assert added(machine) == ""
    assert writes(machine) == 0


def test_a_good_entry_boots_without_a_write(machine: Machine) -> None:
    keep(machine, good(machine, DEFAULT))
    boot(Counted(machine), by=TIMER)
    assert added(machine) == f" chainboot.entry={digest(machine, DEFAULT)}"
    assert writes(machine) == 0


def test_a_try_is_spent_once_the_kernel_is_loaded_and_before_the_machine_leaves(machine: Machine) -> None:
    keep(machine, good(machine, ONE))
    own = digest(machine, DEFAULT)
    sitting = Counted(machine)
    boot(sitting, by=TIMER)
    assert added(machine) == f" chainboot.entry={own} chainboot.trial=1/2 panic=30"
    record = sitting.jumped()
    assert record.started == own
    assert record.find(own) == EntryRecord(own, tries_left=1, tries_done=1, since=NOW)
    done = [command[:2] for command in machine.acts()]
    written = done.index(("sync", "-f"))
    assert done.index(("kexec", "-a")) < written < done.index(("end-sessions", "5")) < done.index(("kexec", "-e"))
    assert "chainboot: nixos-default: never booted" in sitting.said


def test_a_trial_gets_the_parameters_that_are_set_for_it_and_a_good_entry_does_not(machine: Machine) -> None:
    settings = Settings(trial_append="boot.panic_on_fail rd.shell=0", trial_panic=5)
    keep(machine, good(machine, ONE))
    boot(Counted(machine, settings=settings))
    assert added(machine).endswith(" chainboot.trial=1/2 panic=5 boot.panic_on_fail rd.shell=0")
    boot(Counted(machine, settings=settings), ONE)
    assert added(machine, ONE) == f" chainboot.entry={digest(machine, ONE)}"


def test_the_second_try_says_so_and_settles_the_first(machine: Machine) -> None:
    own = digest(machine, DEFAULT)
    keep(machine, EntryRecord(own, tries_left=1, tries_done=1), good(machine, ONE), started=own)
    sitting = Counted(machine)
    boot(sitting, by=TIMER)
    assert "chainboot.trial=2/2" in added(machine)
    record = sitting.jumped()
    assert record.find(own) == EntryRecord(own, tries_done=2, since=NOW, why="it panicked: out of coffee")
    assert record.started == own
    volume = machine.discover().volumes[0]
    assert "Kernel panic: out of coffee" in "\n".join(recall(volume, "/boot/chainboot", own))
    assert any("the timer: boots nixos-default" in line for line in kept_log.tail(volume, "/boot/chainboot", 20))


def test_what_failed_is_written_down_with_the_boot_of_the_good_one(machine: Machine) -> None:
    own = digest(machine, DEFAULT)
    keep(machine, EntryRecord(own, tries_done=2), good(machine, TWO), started=own)
    sitting = Counted(machine)
    verdict = sitting.departure.trials(machine.discover()).verdict(entries(machine)[DEFAULT])
    assert verdict is not None
    assert verdict.describe().endswith(": it panicked: out of coffee")
    boot(sitting, TWO, by=TIMER)
    assert added(machine, TWO) == f" chainboot.entry={digest(machine, TWO)}"
    record = kept(machine)
    assert record.started == ""
    found = record.find(own)
    assert found is not None
    assert (found.bad, found.why) == (True, "it panicked: out of coffee")


def test_what_is_known_of_a_failure_is_looked_for_once(machine: Machine) -> None:
    own = digest(machine, DEFAULT)
    keep(machine, EntryRecord(own, tries_done=2), started=own)
    first, second = Counted(machine), Counted(machine, ANNA)
    before = first.departure.trials(machine.discover()).unsettled
    second.attempts.gather = lambda *_: pytest.fail("it was looked for again")
    assert second.departure.trials(machine.discover()).unsettled == before


def test_a_persons_own_command_line_is_no_trial(machine: Machine) -> None:
    keep(machine, good(machine, ONE))
    boot(Counted(machine), DEFAULT, "init=/bin/sh")
    assert machine.loads() == ["--command-line=init=/bin/sh"]
    assert writes(machine) == 0


def test_arguments_of_ontimeout_are_a_trial(machine: Machine) -> None:
    keep(machine, good(machine, ONE))
    boot(Counted(machine), DEFAULT, f"{entries(machine)[DEFAULT].cmdline} single", by=TIMER)
    assert added(machine) == f" single chainboot.entry={digest(machine, DEFAULT)} chainboot.trial=1/2 panic=30"


READ_ONLY = {"mount -t ext4 -o rw": Completed((), 32, "", "mount: /dev/vda is write-protected")}


@pytest.mark.parametrize(("by", "has_good", "boots"), [(TIMER, True, False), (TIMER, False, True), ("", True, True)])
def test_a_try_that_cannot_be_written(tmp_path: Path, by: str, has_good: bool, boots: bool) -> None:
    machine = Machine(tmp_path, CONF, answers=READ_ONLY)
    keep(machine, *[good(machine, ONE)] * has_good)
    before = kept(machine)
    sitting = Counted(machine)
    reason = boot(sitting, by=by)
    assert kept(machine) == before
    if boots:
        assert ("kexec", "-e") in machine.commands
        assert any("the record of trials was not written: " in act for act in sitting.acts())
        return
    assert reason.startswith("nixos-default was not booted: it is on trial, and its try was not written: ")
    assert ("kexec", "-e") not in machine.commands
    assert ("kexec", "-u") in machine.commands
    assert not sitting.presence.boot_claimed()
    # What cannot be counted gives way to what is known to be good.
    assert "it is on trial" in str(sitting.shared.failed())


def test_words_that_do_not_fit_are_left_out_and_then_nothing_is_counted(tmp_path: Path) -> None:
    limit = 2047
    for room, fits in ((100, True), (60, True), (35, True), (30, False)):
        conf = extlinux_conf(label("nixos-default", "NixOS", "x" * (limit - room - 100)))
        machine = Machine(tmp_path / str(room), conf)
        length = len(entries(machine)[0].cmdline)
        conf = extlinux_conf(label("nixos-default", "NixOS", "x" * (limit - room - 100 + limit - room - length)))
        machine = Machine(tmp_path / f"{room}-exactly", conf)
        assert len(entries(machine)[0].cmdline) == limit - room
        keep(machine)
        sitting = Counted(machine)
        boot(sitting, by=TIMER)
        assert bool(added(machine)) is fits
        assert bool(sitting.jumped().started) is fits
        assert ("kexec", "-e") in machine.commands


def test_what_matters_least_is_left_out_first_and_no_watchdog_is_armed_that_nobody_hears_of(machine: Machine) -> None:
    """Also where the entry has a panic= of its own, so that ours is not among the words."""
    keep(machine)
    for parameters, panic in (("gen=3", ["panic"]), ("gen=3 panic=7", [])):
        sitting = Counted(machine, settings=Settings(trial_append="a=1 b"))
        sitting.watchdog = WATCHDOG
        candidate = replace(entries(machine)[DEFAULT], cmdline=parameters)
        trials = sitting.departure.trials(machine.discover())
        attempt = sitting.attempts.prepare(candidate, trials, by_itself=True, must=False)
        assert attempt is not None
        own = ["chainboot.entry", "chainboot.trial", *panic]
        names = [[word.partition("=")[0] for word in each.added.split(" ")] for each in attempt.shorter()]
        watched = [*own, "chainboot.watchdog", "watchdog.open_timeout"]
        assert names == [[*watched, "a", "b"], watched, own, own[:2], own[:1]]
        for each, words in zip(attempt.shorter(), names, strict=True):
            assert (each.watchdog is not None) is ("chainboot.watchdog" in words)
            assert any("watchdog" in remark for remark in each.remarks) is ("chainboot.watchdog" in words)


def test_a_request_for_one_boot_is_gone_before_the_jump(machine: Machine) -> None:
    keep(machine, good(machine, ONE), good(machine, DEFAULT), request=Request(digest(machine, ONE), once=True))
    boot(Counted(machine), ONE, by=TIMER)
    assert kept(machine).request is None
    assert writes(machine) == 1


def test_a_request_for_one_boot_that_cannot_be_cleared_is_not_followed(tmp_path: Path) -> None:
    machine = Machine(tmp_path, CONF, answers=READ_ONLY)
    keep(machine, good(machine, ONE), good(machine, DEFAULT), request=Request(digest(machine, ONE), once=True))
    reason = boot(Counted(machine), ONE, by=TIMER)
    assert "that it boots only once was not written" in reason
    assert ("kexec", "-e") not in machine.commands


def test_what_is_written_counts_although_the_volume_stays_writable(tmp_path: Path) -> None:
    read_only = "mount -t ext4 -o ro,nodev,nosuid,noexec,noload /dev/vda"
    machine = Machine(tmp_path, CONF)
    keep(machine, good(machine, ONE))
    sitting = Counted(machine)
    among, discovery = entries(machine), machine.discover()
    machine.runner.answers = {read_only: Completed((), 32, "", "busy"), **machine.runner.answers}
    sitting.departure.boot(among[DEFAULT], None, discovery, by=TIMER)
    assert sitting.jumped().started == digest_of(among[DEFAULT])
    assert any("is not mounted read-only again" in line for line in sitting.said)


def test_a_disk_that_hangs_takes_nobody_with_it(machine: Machine) -> None:
    keep(machine, good(machine, ONE))
    sitting = Counted(machine)
    sitting.attempts.limit = 0.2
    sitting.attempts.update = lambda *_: time.sleep(60)
    reason = boot(sitting, by=TIMER)
    assert "was not done within 0.2 s: the disk may be dying" in reason
    assert not sitting.presence.boot_claimed()
    assert ("kexec", "-u") in machine.commands


def test_a_look_that_hangs_or_fails_says_that_nothing_is_known(machine: Machine) -> None:
    own = digest(machine, DEFAULT)
    for number, gather in enumerate((lambda *_: time.sleep(60), lambda *_: 1 / 0), 1):
        keep(machine, EntryRecord(own, tries_left=1, tries_done=number), started=own)
        sitting = Counted(machine)
        sitting.attempts.limit = 0.2
        sitting.attempts.gather = gather
        (found,) = sitting.departure.trials(machine.discover()).unsettled.values()
        assert (found.why, found.lines) == (NO_WORD, ())


def test_whatever_goes_wrong_in_recording_nothing_stays_loaded(machine: Machine) -> None:
    keep(machine, good(machine, ONE))
    sitting = Counted(machine)

    def fail(_attempt: Attempt) -> tuple[str, ...]:
        raise ZeroDivisionError("a defect of ours")

    sitting.attempts.record = fail  # type: ignore[method-assign]
    assert boot(sitting, by=TIMER) == "nixos-default was not booted: a defect of ours"
    assert ("kexec", "-u") in machine.commands
    assert not sitting.presence.boot_claimed()


def test_a_request_that_leads_nowhere_is_cleared_by_the_timer_and_not_by_a_person(machine: Machine) -> None:
    request = Request("f" * 16, once=False, instead_of="0" * 16)
    keep(machine, good(machine, DEFAULT), request=request)
    boot(Counted(machine))
    assert kept(machine).request == request
    boot(Counted(machine), by=TIMER)
    assert kept(machine).request is None


WATCHDOG = Watchdog("i6300esb", "/dev/watchdog9")


def test_a_watchdog_is_a_step_of_the_plan_and_a_word_for_the_system(machine: Machine) -> None:
    keep(machine)
    sitting = Counted(machine)
    sitting.watchdog = WATCHDOG
    trials = sitting.departure.trials(machine.discover())
    attempt = sitting.attempts.prepare(entries(machine)[DEFAULT], trials, by_itself=True, must=False)
    assert attempt is not None
    seconds = WATCHDOG.clamp(600)
    assert attempt.added.endswith(f" chainboot.watchdog=i6300esb:{seconds} watchdog.open_timeout={seconds}")
    assert [step.describe() for step in attempt.steps] == [
        f"# write to {machine.disk}{PATH}: try 1 of 2 of nixos-default is spent",
        f"# arm the watchdog i6300esb: it resets the machine after {seconds} s without a sign of life",
    ]
    assert attempt.remarks[1] == WATCHDOG.describe(seconds)
    dry = sitting.departure.rehearse(entries(machine)[DEFAULT], None, machine.discover())
    assert "watchdog" not in dry.cmdline
    assert "  record:\n" in dry.describe()
    assert writes(machine) == 0


def test_no_watchdog_for_what_is_good_or_bad_and_where_it_is_turned_off(machine: Machine) -> None:
    keep(machine, good(machine, DEFAULT), EntryRecord(digest(machine, TWO), tries_done=2))
    for which, settings in ((DEFAULT, Settings()), (TWO, Settings()), (ONE, Settings(trial_watchdog=0))):
        sitting = Counted(machine, settings=settings)
        sitting.watchdog = WATCHDOG
        trials = sitting.departure.trials(machine.discover())
        attempt = sitting.attempts.prepare(entries(machine)[which], trials, by_itself=True, must=False)
        assert attempt is not None
        assert attempt.watchdog is None


def test_a_jump_that_fails_is_no_fault_of_the_system(tmp_path: Path) -> None:
    machine = Machine(tmp_path, CONF, answers={"kexec -e": Completed((), 1, "", "Operation not permitted")})
    keep(machine, good(machine, ONE))
    sitting = Counted(machine, CONSOLE)
    reason = boot(sitting, by=TIMER)
    assert reason
    record = kept(machine)
    assert record.started == ""
    found = record.find(digest(machine, DEFAULT))
    assert found is not None
    assert (found.tries_left, found.tries_done) == (2, 0)


def test_the_record_is_found_from_every_view() -> None:
    """The first stage mounts a /boot partition by itself; the running system has it at /boot."""
    assert MOUNTS == "/run/chainboot/volumes"


def test_a_record_that_is_a_link_out_of_the_volume_is_not_written(machine: Machine, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    os.symlink(outside, machine.disk / "boot/chainboot")
    sitting = Counted(machine)
    assert sitting.departure.trials(machine.discover()).record(machine.discover().configurations[0]) is None
    boot(sitting, by=TIMER)
    assert list(outside.iterdir()) == []
    assert place_of(machine.discover().configurations[0]) == (str(machine.disk), PATH)
