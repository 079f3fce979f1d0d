"""A process on a terminal, with a stand-in for ssh: a program that does what its first argument says."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainboot_vm.machine import MachineError, QemuMachine
from chainboot_vm.ssh_session import Session

ECHO = r"""
import os, sys
print("up: %dx%d, %s" % (*os.get_terminal_size(), os.environ["TERM"]), flush=True)
for line in sys.stdin:
    word = line.strip()
    if word == "exit":
        sys.exit(7)
    print("\x1b[2J\x1b[3;1H\x1b[7msaid " + word + "\x1b[0m", flush=True)
"""
ASK = r"""
import sys, termios, tty
tty.setraw(0)
sys.stdout.write("\x1b[4;9H\x1b[6n"); sys.stdout.flush()
answer = ""
while not answer.endswith("R"):
    answer += sys.stdin.read(1)
print("answer " + answer[1:], flush=True)
"""
SIZE = r"""
import os, signal, time
signal.signal(signal.SIGWINCH, lambda *_: print("now %dx%d" % os.get_terminal_size(), flush=True))
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[QemuMachine]:
    with QemuMachine([], log=tmp_path / "log") as machine:
        yield machine


def session(program: str, journal: QemuMachine) -> Session:
    return Session(
        [sys.executable, "-u", "-c", program], columns=50, rows=10, term="vt220", name="anna", journal=journal
    )


def test_keys_screen_and_exit_code(journal: QemuMachine, tmp_path: Path) -> None:
    with session(ECHO, journal) as one:
        one.wait_for("up: 50x10, vt220")
        assert one.is_open()
        one.send("hello\n")
        assert 0 < one.wait_for(r"\nsaid hello\n", timeout=20) < 20
        assert one.screen()[2] == "said hello"
        assert one.screen()[0] == ""
        assert b"\x1b[7msaid hello\x1b[0m" in one.raw
        assert "said hello" in "\n".join(one.lines())
        one.send("exit\n")
        assert one.wait_for_exit(20) == 7
        assert not one.is_open()
        with pytest.raises(MachineError, match="anna has ended and can not be typed to: 'x'"):
            one.send("x")
    log = (tmp_path / "log").read_text()
    assert "anna: typing 'hello\\n'" in log
    assert "anna | said hello\n" in log
    assert "returned with exit code 7" in log
    assert "\x1b" not in log


def test_the_cursor_position_is_reported(journal: QemuMachine) -> None:
    with session(ASK, journal) as one:
        one.wait_for(r"answer \[4;9R", timeout=20)


def test_a_new_size_arrives(journal: QemuMachine) -> None:
    with session(SIZE, journal) as one:
        one.wait_for("ready", timeout=20)
        one.resize(100, 30)
        one.wait_for("now 100x30", timeout=20)
        assert len(one.screen()) == 30


def test_what_goes_away(journal: QemuMachine) -> None:
    with session(ECHO, journal) as one:
        one.wait_for("up")
        one.send("hello\n")
        one.wait_until_gone("up: ", timeout=20)


def test_a_wait_that_is_too_long_shows_the_screen(journal: QemuMachine) -> None:
    with session("print('a', flush=True); input()", journal) as one:
        one.wait_for("a", timeout=20)
        with pytest.raises(MachineError) as caught:
            one.wait_for("never", timeout=0.2)
    assert str(caught.value) == "anna: the screen did not show 'never' within 0.2 s. Its screen:\n  | a"


def test_an_end_is_not_waited_for(journal: QemuMachine) -> None:
    with (
        session("print('last words')", journal) as one,
        pytest.raises(MachineError, match=r"^anna ended \(exit code 0\) before the screen showed 'never'.*") as caught,
    ):
        one.wait_for("never")
    assert str(caught.value).endswith("\n  | last words")


def test_killed_and_closed(journal: QemuMachine) -> None:
    with session("input()", journal) as one:
        one.kill()
        assert one.wait_for_exit(20) == -9
    with session("import time; print('up'); time.sleep(600)", journal) as another:
        another.wait_for("up", timeout=20)
        began = time.monotonic()
    assert not another.is_open()
    assert time.monotonic() - began < 5


def test_one_that_does_not_return_is_told(journal: QemuMachine) -> None:
    with (
        session("print('busy'); input()", journal) as one,
        pytest.raises(MachineError, match=r"^anna had not returned after 0.3 s"),
    ):
        one.wait_for("busy", timeout=20)
        one.wait_for_exit(0.3)
