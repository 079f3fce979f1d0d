"""The end of the sessions: who is told to go, in which order, and who is left alone. No process of this machine is."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chainboot.boot.farewell import end_sessions
from chainboot.boot.plan import EndSessions

TERM, KILL = signal.SIGTERM, signal.SIGKILL


class Processes:
    """A proc(5) below a directory. A signal is written down, and ends the process if that is among those it heeds."""

    def __init__(self, tmp_path: Path) -> None:
        self.runtime, self.proc = tmp_path / "run", tmp_path / "proc"
        (self.runtime / "ssh").mkdir(parents=True)
        (self.runtime / "sessions").mkdir()
        self.proc.mkdir()
        (self.proc / "net").mkdir()
        self.heeds: dict[int, tuple[int, ...]] = {}
        self.got: list[tuple[int, int]] = []
        self.when: Callable[[], None] = lambda: None

    def start(self, pid: int, name: str = "dropbear", state: str = "S", heeds: tuple[int, ...] = (TERM, KILL)) -> None:
        (self.proc / str(pid)).mkdir()
        (self.proc / str(pid) / "stat").write_text(f"{pid} ({name}) {state} 1 {pid} {pid} 0 -1 4194560 100\n")
        self.heeds[pid] = heeds

    def serve(self, pid: int) -> None:
        (self.runtime / "ssh/pid").write_text(f"{pid}\n")

    def kill(self, pid: int, number: int) -> None:
        self.got.append((pid, number))
        self.when()
        if pid not in self.heeds:
            raise ProcessLookupError
        if number in self.heeds[pid]:
            self.end(pid)

    def end(self, pid: int) -> None:
        shutil.rmtree(self.proc / str(pid), ignore_errors=True)

    def say_goodbye(self, patience: int = 0) -> float:
        """Ends the sessions; how long that took, in seconds."""
        started = time.monotonic()
        end_sessions(EndSessions(patience), runtime=str(self.runtime), proc=str(self.proc), kill=self.kill)
        return time.monotonic() - started

    def attach(self, name: str) -> int:
        """The file of somebody who is here, locked. Close the descriptor and they are gone."""
        descriptor = os.open(self.runtime / "sessions" / name, os.O_RDWR | os.O_CREAT)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    return Processes(tmp_path)


def test_without_a_server_nobody_is_signalled_and_nothing_waited_for(processes: Processes) -> None:
    assert processes.say_goodbye(60) < 10
    assert processes.got == []


def test_the_server_goes_first_so_that_nobody_new_comes_in(processes: Processes) -> None:
    processes.start(100)
    processes.start(101)
    processes.serve(100)
    processes.when = lambda: processes.end(101)  # its session has read that the machine leaves
    assert processes.say_goodbye(60) < 10
    assert processes.got == [(100, TERM)], "a session that ends by itself says goodbye itself"


def test_what_does_not_end_by_itself_is_ended(processes: Processes) -> None:
    processes.start(100)
    processes.start(101)
    processes.start(102, heeds=(KILL,))
    processes.serve(100)
    processes.say_goodbye()
    assert processes.got[0] == (100, TERM)
    assert sorted(processes.got[1:3]) == [(101, TERM), (102, TERM)]
    assert processes.got[3:] == [(102, KILL)]


def test_what_cannot_be_ended_holds_nothing_up(processes: Processes) -> None:
    processes.start(102, heeds=())
    assert processes.say_goodbye(1) < 10
    assert processes.got == [(102, TERM), (102, KILL)]


def test_sessions_of_a_server_that_died_are_found_all_the_same(processes: Processes) -> None:
    processes.start(101)
    processes.serve(100)  # its number, and nobody has it any more
    processes.say_goodbye()
    assert processes.got == [(101, TERM)]


@pytest.mark.parametrize("number", ["100", "", "x", "-1", "99999999999999999999", "\udcff"])
def test_a_number_that_is_not_the_server_s_is_not_signalled(processes: Processes, number: str) -> None:
    processes.start(100, name="sh")
    (processes.runtime / "ssh/pid").write_bytes(number.encode("utf-8", "surrogateescape"))
    processes.say_goodbye()
    assert processes.got == []


@pytest.mark.parametrize("name", ["sh", "dropbearkey", "dropbear2", "x) (dropbear", "dropbear) S 1 (x", "Dropbear", ""])
def test_other_processes_are_left_alone(processes: Processes, name: str) -> None:
    processes.start(200, name=name)
    processes.say_goodbye()
    assert processes.got == []


def test_a_process_that_is_dead_already_is_not_waited_for(processes: Processes) -> None:
    processes.start(101, state="Z")
    assert processes.say_goodbye(60) < 10
    assert processes.got == []


def test_a_process_that_ends_before_the_signal_comes_is_no_error(processes: Processes) -> None:
    processes.start(100)
    processes.serve(100)
    del processes.heeds[100]
    processes.when = lambda: processes.end(100)
    processes.say_goodbye()
    assert processes.got == [(100, TERM)]


def test_sessions_have_time_to_end_by_themselves(processes: Processes) -> None:
    session = processes.attach("remote-101-1")
    timer = threading.Timer(0.5, os.close, [session])
    timer.start()
    took = processes.say_goodbye(60)
    timer.join()
    assert 0.4 < took < 20
    assert processes.got == []


def test_sessions_that_do_not_end_are_waited_for_as_long_as_was_said(processes: Processes) -> None:
    session = processes.attach("remote-101-1")
    assert 1 <= processes.say_goodbye(1) < 10
    os.close(session)


def test_consoles_and_the_dead_are_not_waited_for(processes: Processes) -> None:
    console = processes.attach("console-1-1")
    os.close(processes.attach("remote-102-1"))
    assert processes.say_goodbye(60) < 10
    os.close(console)


def test_a_machine_without_proc_or_runtime_is_left_all_the_same(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    end_sessions(EndSessions(60), runtime=gone, proc=gone, kill=lambda _pid, _number: None)
