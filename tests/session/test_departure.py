"""Leaving: in which order, who does the last steps, and that whatever fails leaves nothing half done."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernels import arm64_image
from nixos import INITRD, KERNEL, usual_conf
from session.sessions import (
    ANNA,
    BORIS,
    CONSOLE,
    Machine,
    Sitting,
    child_of,
    elsewhere,
    go_on_in_a_child,
    kill,
    no_room,
    wait_until,
)

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.consoles import with_consoles
from chainboot.boot.plan import PATIENCE, BootPlan, EndSessions
from chainboot.errors import ChainbootError, RefusedError
from chainboot.process import Completed, Runner
from chainboot.session.choice import Autoboot, identity
from chainboot.session.departure import BOOTING, CLOSING
from chainboot.session.output import TerminalGone
from chainboot.session.person import Person
from chainboot.settings import Settings

TOLD = f"{BOOTING} nixos-default: NixOS - Default"
STILL_HERE = "nixos-default was started, but this kernel is still running"


def entry(machine: Machine, index: int = 1) -> Candidate:
    return candidates(machine.discover().configurations)[index - 1]


def boot(sitting: Sitting, index: int = 1, cmdline: str | None = None, *, by: str = "") -> str:
    machine = sitting.machine
    return sitting.departure.boot(entry(machine, index), cmdline, machine.discover(), by=by)


def stays(sitting: Sitting) -> bool:
    """Whether nothing of a departure is left: nobody boots and nothing is about to happen."""
    return not sitting.presence.boot_claimed() and sitting.shared.leaving() == ("", 0)


def load_of(machine: Machine) -> tuple[str, ...]:
    nixos = f"{machine.disk}/boot/nixos"
    line = entry(machine).cmdline
    return ("kexec", "-a", "-l", f"{nixos}/{KERNEL}", f"--initrd={nixos}/{INITRD}", f"--command-line={line}")


# -- the console that is added


def bare(machine: Machine) -> Candidate:
    """The only entry, which names no console and is to get one."""
    return with_consoles([entry(machine)], "console=ttyS0")[0]


def long_line(length: int) -> str:
    return f"LABEL a\nLINUX ../nixos/{KERNEL}\nAPPEND {'x' * length}\n"


LIMIT = 2047  # of the kernel that `nixos` writes, in bytes


@pytest.mark.parametrize(
    ("length", "fits"), [(10, True), (LIMIT - len(" console=ttyS0"), True), (LIMIT, False), (LIMIT + 1, True)]
)
def test_what_is_added_never_keeps_an_entry_from_booting(tmp_path: Path, length: int, fits: bool) -> None:
    machine = Machine(tmp_path, long_line(length))
    sitting = Sitting(machine)
    candidate = bare(machine)
    reason = sitting.departure.boot(candidate, None, machine.discover())
    if length > LIMIT:  # it is the entry's own line that is too long
        longer = len(candidate.boot_cmdline)
        assert reason.endswith(f"the command line has {longer} bytes, and this kernel takes {LIMIT}")
        assert machine.loads() == []
        return
    line = candidate.boot_cmdline if fits else candidate.cmdline
    assert machine.loads() == [f"--command-line={line}"]
    assert any("was added" in line for line in sitting.said) is fits


def test_a_line_that_a_person_typed_is_taken_as_it_is(tmp_path: Path) -> None:
    machine = Machine(tmp_path, long_line(3))
    Sitting(machine).departure.boot(bare(machine), "single", machine.discover())
    assert machine.loads() == ["--command-line=single"]


@pytest.mark.parametrize(
    ("arguments", "room", "line"),
    [
        ("y", 100, "x y console=ttyS0"),
        ("console=hvc0", 100, "x console=hvc0"),
        ("y", 5, "x y"),
    ],
)
def test_a_line_of_the_timer_gets_a_console_where_that_fits(
    tmp_path: Path, arguments: str, room: int, line: str
) -> None:
    filler = "z" * (LIMIT - room)
    machine = Machine(tmp_path, f"LABEL a\nLINUX ../nixos/{KERNEL}\nAPPEND {filler}\n")
    sitting = Sitting(machine)
    candidate = bare(machine)
    sitting.departure.boot(candidate, f"{filler} {arguments}", machine.discover(), by="the timer")
    assert machine.loads() == [f"--command-line={filler}{line.removeprefix('x')}"]


@pytest.mark.parametrize(("by", "blamed"), [("the timer", True), ("", False)])
def test_a_line_of_its_own_is_held_against_the_entry_only_where_nobody_typed_it(
    tmp_path: Path, by: str, blamed: bool
) -> None:
    machine = Machine(tmp_path, answers={"kexec -a -l": Completed((), 255, stderr="cannot load")})
    here = Sitting(machine)
    boot(here, 2, "single", by=by)
    assert (identity(entry(machine, 2)) in here.shared.failed()) is blamed
    assert here.acts()[0].endswith("boots nixos-42-default with the command line: single")


# -- a console


def test_a_console_loads_tells_everybody_takes_down_and_jumps(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here = Sitting(machine)
    assert boot(here) == STILL_HERE
    assert machine.acts() == [
        load_of(machine),
        ("end-sessions", str(PATIENCE), f"{TOLD} ({CONSOLE.name})"),
        ("umount", str(machine.disk)),
        ("kexec", "-e"),
    ]
    assert here.said == [TOLD]
    assert here.acts() == [f"{CONSOLE.name}: boots nixos-default", f"chainboot: {STILL_HERE}"]


def test_a_boot_of_the_timer_is_not_put_on_a_person(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here = Sitting(machine)
    boot(here, by="the timer")
    assert here.acts()[0] == "the timer: boots nixos-default"
    assert machine.acts()[1][2] == f"{TOLD} (the timer)"


def test_what_is_booted_with_which_command_line_is_logged_without_harm(tmp_path: Path) -> None:
    here = Sitting(Machine(tmp_path))
    boot(here, 2, "single \x1b[2J")
    assert here.acts()[0] == f"{CONSOLE.name}: boots nixos-42-default with the command line: single \ufffd[2J"
    unchanged = Sitting(Machine(tmp_path))
    boot(unchanged, 1, entry(unchanged.machine).cmdline)
    assert unchanged.acts()[-2] == f"{CONSOLE.name}: boots nixos-default"


# -- over SSH


def test_a_session_over_ssh_leaves_the_last_steps_to_another_process(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here = Sitting(machine, ANNA)
    here.presence.attach()
    assert boot(here) == ""
    assert machine.acts() == [load_of(machine)], "taking down would end this very session"
    assert here.said == [TOLD, CLOSING]
    assert here.shared.leaving() == (f"{TOLD} ({ANNA.name})", 0)
    assert here.presence.boot_claimed()
    (rest,) = here.detached
    rest()
    assert [command[0] for command in machine.acts()[1:3]] == ["end-sessions", "umount"]
    assert ("kexec", "-e") in machine.acts()
    assert not here.presence.attached, "that process is not the person"


def test_a_jump_that_fails_after_the_session_has_ended_is_for_the_log_and_undone(tmp_path: Path) -> None:
    machine = Machine(
        tmp_path,
        answers={"kexec -e": Completed((), 1, stderr="no"), "umount": Completed((), 32, stderr="target is busy")},
    )
    here = Sitting(machine, ANNA)
    boot(here)
    said = list(here.said)
    here.detached[0]()
    assert here.said == said, "nobody is there to be told"
    assert here.acts()[1:] == [
        "chainboot: chainboot: umount exited with 32: target is busy; going on",
        "chainboot: nixos-default was not booted: kexec exited with 1: no",
    ]
    assert stays(here)
    assert identity(entry(machine)) in here.shared.failed()
    assert here.shared.looks() == 1, "the entry that boots by itself may be another one now"


def test_the_rest_keeps_the_claim_when_the_session_has_ended(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    there = Sitting(machine, BORIS)

    def act() -> None:
        here = Sitting(machine, ANNA)
        here.presence.attach()
        boot(here)
        go_on_in_a_child(here.presence.hand_over, tmp_path / "child")

    with elsewhere(act) as session, child_of(tmp_path / "child") as end:
        kill(session)
        assert there.presence.others() == ()
        assert there.overview.leaving() == f"{TOLD} ({ANNA.name})"
        end()
        wait_until(lambda: there.overview.leaving() == "")


def test_a_command_in_the_shell_of_a_console_does_not_end_with_that_shell(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here = Sitting(machine, owned=True)
    assert boot(here) == ""
    assert machine.acts() == [load_of(machine)]
    assert here.said == [TOLD], "there is no link that closes"
    here.detached[0]()
    assert ("kexec", "-e") in machine.acts()


@pytest.mark.parametrize(("person", "owned"), [(ANNA, False), (CONSOLE, True)])
def test_a_terminal_that_takes_nothing_does_not_keep_the_machine_here(
    tmp_path: Path, person: Person, owned: bool
) -> None:
    here = Sitting(Machine(tmp_path), person, owned=owned)

    def stuck(_text: str) -> None:
        raise TerminalGone

    here.departure.say = stuck
    with pytest.raises(TerminalGone):
        boot(here)
    assert len(here.detached) == 1, "it was on its way before anything was said"
    here.detached[0]()
    assert ("kexec", "-e") in here.machine.acts()


def test_others_are_told_since_when(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here = Sitting(machine, ANNA)
    machine.now = 12345
    boot(here)
    assert here.shared.leaving() == (f"{TOLD} ({ANNA.name})", 12340)


# -- what fails


def test_without_room_for_a_file_it_boots_all_the_same(tmp_path: Path) -> None:
    for person in (CONSOLE, ANNA):
        machine = Machine(tmp_path)
        here = Sitting(machine, person)
        with no_room():
            boot(here)
            for rest in here.detached:
                rest()
        assert machine.acts() == [
            load_of(machine),
            ("end-sessions", str(PATIENCE), ""),
            ("umount", str(machine.disk)),
            ("kexec", "-e"),
        ]
        assert stays(here)
        assert identity(entry(machine)) in here.shared.failed()


def test_a_load_that_fails_changes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, answers={"kexec -a -l": Completed((), 255, stderr="cannot load")})
    for person in (CONSOLE, ANNA):
        here = Sitting(machine, person)
        assert boot(here) == "nixos-default was not booted: kexec exited with 255: cannot load"
        assert stays(here)
        assert here.detached == []
        assert here.said == []
    assert [command[:2] for command in machine.acts()] == [("kexec", "-a"), ("kexec", "-u")] * 2


def test_what_preflight_forbids_is_not_loaded(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.disk / "boot/nixos" / KERNEL).write_bytes(arm64_image())
    here = Sitting(machine)
    reason = f"nixos-default cannot boot: kernel: /boot/nixos/{KERNEL} is for aarch64, this machine is x86_64"
    assert boot(here) == reason
    assert machine.acts() == []
    assert stays(here)
    assert here.shared.failed() == {identity(entry(machine)): reason}
    assert here.departure.objections(entry(machine), "x") == (reason.partition(": ")[2],)


def test_an_entry_whose_kernel_is_gone_is_refused(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.disk / "boot/nixos" / KERNEL).unlink()
    here = Sitting(machine)
    assert f"/boot/nixos/{KERNEL} does not exist" in boot(here)
    with pytest.raises(RefusedError):
        here.departure.plan(entry(machine), None, machine.discover())


def test_whatever_breaks_while_leaving_the_machine_stays_whole(tmp_path: Path) -> None:
    for error in (ZeroDivisionError("by zero"), OSError(5, "Input/output error"), ChainbootError("refused")):
        here = Sitting(Machine(tmp_path))

        def broken(_plan: BootPlan, _run: Runner, _say: object, error: Exception = error) -> None:
            raise error

        here.departure.leave = broken
        assert str(error) in boot(here)
        assert stays(here)


# -- one at a time


def test_one_boots_and_the_other_is_told_who_and_what(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here, there = Sitting(machine, ANNA), Sitting(machine, BORIS)
    assert boot(here) == ""
    before = machine.acts()
    assert boot(there, 2) == f"Not now: {ANNA.name} boots nixos-default."
    assert there.departure.power("reboot").startswith(f"Not now: {ANNA.name} boots")
    assert machine.acts() == before
    assert here.presence.boot_claimed()
    assert here.shared.leaving() == (f"{TOLD} ({ANNA.name})", 0)


def test_a_reboot_that_is_refused_does_not_unload_what_another_session_has_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainboot.boot.kexec.is_loaded", lambda: True)
    machine = Machine(tmp_path)
    here, there = Sitting(machine, ANNA), Sitting(machine, BORIS)
    boot(here)
    there.departure.power("reboot")
    assert ("kexec", "-u") not in machine.acts()


def test_after_a_boot_that_failed_another_can_be_tried(tmp_path: Path) -> None:
    machine = Machine(tmp_path, answers={f"kexec -a -l {tmp_path}": Completed((), 255)})
    here, there = Sitting(machine, ANNA), Sitting(machine, BORIS)
    boot(here)
    del machine.runner.answers[f"kexec -a -l {tmp_path}"]
    assert boot(there, 2) == ""


# -- restart and the end


@pytest.mark.parametrize(
    ("verb", "title", "last"),
    [
        ("reboot", "the machine restarts", ("reboot", "-f")),
        ("poweroff", "the machine switches itself off", ("poweroff", "-f")),
    ],
)
def test_a_restart_ends_the_sessions_and_touches_no_disk(
    tmp_path: Path, verb: str, title: str, last: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainboot.boot.kexec.is_loaded", lambda: True)
    machine = Machine(tmp_path)
    here = Sitting(machine, ANNA)
    assert here.departure.power(verb) == ""
    assert machine.commands == [("kexec", "-u")], "a loaded kernel would turn the restart into a kexec"
    assert here.said == [f"chainboot: {verb}: {title}", CLOSING]
    here.detached[0]()
    told = f"chainboot: {verb}: {title} ({ANNA.name})"
    assert machine.commands[1:3] == [("end-sessions", str(PATIENCE), told), last]
    assert not {command[0] for command in machine.commands} & {"blkid", "mount", "umount"}, "a disk may be dying"
    assert here.acts()[0] == f"{ANNA.name}: {verb}"
    assert stays(here)
    assert here.shared.failed() == {}


def test_the_plan_of_a_session_ends_the_sessions_before_anything_else(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    plan = Sitting(machine).departure.plan(entry(machine), "single", machine.discover())
    assert plan.cmdline == "single"
    assert plan.teardown[0] == EndSessions(PATIENCE)
    assert plan.teardown[1].describe() == f"umount {machine.disk}"


@pytest.mark.parametrize("timeout", [50, 0])
def test_after_a_boot_that_failed_the_total_timeout_still_comes(tmp_path: Path, timeout: int) -> None:
    machine = Machine(tmp_path, usual_conf(timeout) + "TOTALTIMEOUT 900\n", answers={"kexec -e": Completed((), 1)})
    here, there = Sitting(machine, ANNA), Sitting(machine)
    decided = Autoboot(1, timeout or None, total_timeout_ds=900, default=1)
    assert there.overview.look(decided, (), 0).total_deadline_ds == 900
    here.presence.attach()
    boot(here)
    here.detached[0]()
    machine.now = 100
    seen = there.overview.look(decided, (), 0)
    assert seen.total_deadline_ds is not None
    assert seen.total_deadline_ds >= 100 + here.settings.ssh_grace * 10


def test_after_a_boot_that_failed_nothing_boots_at_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path, answers={"kexec -a -l": Completed((), 255)})
    here, there = Sitting(machine), Sitting(machine)
    decided = Autoboot(1, 50, default=1)
    assert there.overview.look(decided, (), 0).deadline_ds == 50
    machine.now = 60
    boot(here, by="the timer")
    deadline = there.overview.look(decided, (), 0).deadline_ds
    assert deadline is not None
    assert deadline > machine.now


# -- that this first stage works

INSTALLED = "0123456789ab"


def proved(machine: Machine) -> Path:
    home = machine.disk / "boot/chainboot/first-stage" / INSTALLED
    home.mkdir(parents=True)
    return home / "proved"


def test_a_boot_leaves_the_mark_that_this_first_stage_works(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    mark = proved(machine)
    sitting = Sitting(machine, settings=Settings(installed=INSTALLED))
    boot(sitting)
    assert mark.exists()
    assert not any("not marked" in line for line in sitting.acts())


def test_neither_a_failed_load_nor_a_restart_proves_anything(tmp_path: Path) -> None:
    machine = Machine(tmp_path, answers={"kexec -a -l": Completed((), 255, stderr="cannot load")})
    mark = proved(machine)
    boot(Sitting(machine, settings=Settings(installed=INSTALLED)))
    Sitting(machine, settings=Settings(installed=INSTALLED)).departure.power("reboot")
    assert not mark.exists()


def test_a_mark_that_cannot_be_left_keeps_nobody_here(tmp_path: Path) -> None:
    machine = Machine(tmp_path, answers={"mount -t ext4 -o rw": Completed((), 32, stderr="target is busy")})
    mark = proved(machine)
    here = Sitting(machine, settings=Settings(installed=INSTALLED))
    boot(here)
    assert not mark.exists()
    assert any(f"first stage {INSTALLED} was not marked as one that works" in line for line in here.acts())
    assert ("kexec", "-e") in machine.commands
