"""A console when something is wrong: no room for files, a terminal that takes nothing, a session that hangs."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from nixos import usual_conf
from session.desk import Desk, sit
from session.emulator import Pty
from session.sessions import ANNA, Machine, Script, Sitting, kill, no_room, wait_until

from chainboot.boot.plan import BootPlan
from chainboot.process import Completed, Runner
from chainboot.session.clock import clock
from chainboot.session.console import Console
from chainboot.session.departure import BOOTING
from chainboot.session.events import Key
from chainboot.settings import Settings

TOLD = "chainboot: booting nixos-41-default: NixOS (anna)"


# -- no room


def test_a_machine_without_room_for_files_boots_by_itself(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    desk, script = sit(machine, until=35)
    with no_room():
        desk.serve()
    assert script.seen[0].endswith("booting in 3 s")
    assert desk.said[0].startswith(f"{BOOTING} nixos-default: ")
    assert ("kexec", "-e") in machine.commands


def test_a_machine_without_room_for_files_tries_one_entry_after_the_other(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(10), answers={"kexec -a -l": Completed((), 255)})
    desk, script = sit(machine, until=600)
    with no_room():
        desk.serve()
    assert len(machine.loads()) == 7, "each once"
    assert script.seen[-1].endswith("waiting")


def test_a_person_holds_a_machine_without_room_for_files(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    desk, script = sit(machine, (Key("j"),), until=600)
    with no_room():
        desk.serve()
    assert machine.loads() == []
    assert script.seen[-1].endswith("countdown stopped")


def test_disks_are_looked_at_without_a_lock_where_there_is_none(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    desk, _ = sit(machine, until=35)
    (tmp_path / "run/mounts").mkdir()  # what cannot be opened; so is a file that there is no room for
    desk.serve()
    assert ("kexec", "-e") in machine.commands


# -- a terminal that takes nothing


class RealTime(Machine):
    """A machine whose clock goes on by itself."""

    def clock(self) -> int:
        return clock()


@pytest.mark.parametrize("term", ["linux", "dumb"])
def test_a_terminal_that_is_stopped_does_not_keep_the_machine_from_booting(
    tmp_path: Path, pty: Pty, monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    """Ctrl-S, or noise on a serial line that reads like one."""
    monkeypatch.setenv("TERM", term)
    machine = RealTime(tmp_path, usual_conf(10))
    termios.tcflow(pty.slave, termios.TCOOFF)

    def jump(_plan: BootPlan, _run: Runner, say: Callable[[str], None]) -> None:
        say("chainboot: umount exited with 32; going on")
        (tmp_path / "jumped").touch()
        os._exit(0)

    child = os.fork()
    if child == 0:
        try:
            for number in (0, 1, 2):
                os.dup2(pty.slave, number)
            sys.stdout = os.fdopen(1, "w", closefd=False)  # pytest's own goes elsewhere
            desk = Desk(machine, Script(machine))
            desk.console.open_terminal = Console.open_terminal
            desk.console.say = desk.departure.say = Console.say
            desk.departure.leave = jump
            desk.serve()
        finally:
            os._exit(1)
    try:
        wait_until((tmp_path / "jumped").exists)
        assert pty.receive() == b"", "it was stopped all the time"
    finally:
        kill(child)


# -- a person who has gone


def test_an_editor_on_a_console_where_nobody_types_any_more_does_not_keep_the_machine(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    script = Script(machine, (Key("e"), Key("x")), until=2000)
    desk = Desk(machine, script, settings=Settings(console_idle=60, ssh_grace=5))
    script.happens = lambda: setattr(script, "until", 0) if desk.said else None
    desk.serve()
    assert desk.said[0] == f"{BOOTING} nixos-default: NixOS - Default"
    assert [line.split()[-1] for line in machine.loads()] == ["loglevel=4"], "what was typed was not sent"
    assert 600 + 50 <= machine.now <= 800


# -- another session that hangs


def test_a_console_does_not_stand_by_for_ever_and_takes_keys_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(30))
    other = Sitting(machine, ANNA)
    desk, script = sit(machine, until=400)

    def end_first() -> None:
        if machine.now == 20:
            assert other.presence.claim_boot("the timer boots nixos-default") is None
            machine.now = 30  # and its disk dies

    def sleep(seconds: float) -> None:
        desk.sleep(seconds)
        if desk.slept == 5:  # somebody sits down here
            script.batches.append((Key("j"),))

    script.happens = end_first
    desk.console.sleep = sleep
    desk.serve()
    assert 5 < desk.slept <= 20
    assert script.messages[-1] == "Not now: the timer boots nixos-default."
    assert script.seen[-1].endswith("countdown stopped")
    assert desk.said == []
    assert machine.loads() == []


def test_a_console_is_back_when_another_session_hangs_while_it_leaves(tmp_path: Path) -> None:
    machine = Machine(tmp_path, usual_conf(0))
    other = Sitting(machine, ANNA)
    desk, script = sit(machine, until=1400)

    def happens() -> None:
        if script.asked == 2:
            other.presence.claim_boot("anna boots nixos-41-default")
            other.shared.leave(TOLD, machine.now)

    def sleep(seconds: float) -> None:
        machine.now += round(seconds * 10)
        if machine.now == 60:
            script.batches.append((Key("Enter"),))

    script.happens = happens
    desk.console.sleep = sleep
    desk.serve()
    assert desk.said[0] == TOLD
    assert script.messages[-1] == "Not now: anna boots nixos-41-default."
    assert machine.loads() == []
    assert machine.now <= 1400 + 100, "it stood by once more after the end of the script"
    assert other.presence.boot_claimed()
    assert script.seen[-1].startswith("chainboot: menu ready")
