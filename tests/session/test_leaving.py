"""Terminals that are left, that hang up, that take nothing; and which terminal gets which menu."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import termios
import threading
from dataclasses import replace

import pyte
import pytest
from session.emulator import Pty, expected, settled
from session.menus import after, entry, menu, sized

from chainboot.errors import ChainbootError
from chainboot.session.events import Boot, Event, Key, Resize
from chainboot.session.line_menu import LineMenu
from chainboot.session.loop import run_menu
from chainboot.session.output import TerminalGone
from chainboot.session.screen import READY, Action, Choice, render
from chainboot.session.terminal import FullScreen, capable, open_terminal


def attributes(pty: Pty) -> list[object]:
    return list(termios.tcgetattr(pty.slave))


def test_the_terminal_is_given_back(pty: Pty) -> None:
    before = attributes(pty)
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH)]
    descriptors = len(os.listdir("/proc/self/fd"))
    with FullScreen(pty.slave, pty.slave) as screen:
        assert attributes(pty) != before
        settled(screen, menu(), pty)
    pty.receive()
    assert attributes(pty) == before
    assert not pty.emulator.cursor.hidden
    assert pty.emulator.cursor.y == len(render(menu(), 80, 24).lines)
    assert pyte.modes.DECAWM in pty.emulator.mode
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH)] == handlers
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert os.get_blocking(pty.slave)


def test_the_terminal_is_given_back_after_an_error(pty: Pty) -> None:
    before = attributes(pty)
    with pytest.raises(ZeroDivisionError), FullScreen(pty.slave, pty.slave):
        raise ZeroDivisionError
    assert attributes(pty) == before


CHILD = """
import signal
import sys
from chainboot.session.screen import MenuItem, open_menu
from chainboot.session.terminal import FullScreen
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may have been started by nohup
with FullScreen(0, 1) as screen:
    screen.draw(open_menu((MenuItem(1, "a", "A", "x"),), default=1, timeout_ds=None, now_ds=0, title=""))
    while True:
        screen.events(None)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back_and_then_kills(pty: Pty, number: signal.Signals) -> None:
    before = attributes(pty)
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=pty.slave, stdout=pty.slave) as child:
        while READY.encode() not in pty.sent:
            select.select([pty.master], [], [], 1)
            pty.receive()
        assert attributes(pty) != before
        child.send_signal(number)
        try:
            assert child.wait(30) == -number
        finally:
            child.kill()
    assert attributes(pty) == before
    pty.receive()
    assert not pty.emulator.cursor.hidden


def test_a_signal_handler_of_somebody_else_still_runs(pty: Pty) -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: got.append(number))
    try:
        with FullScreen(pty.slave, pty.slave):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert got == [signal.SIGTERM]


def test_a_hangup_ends_the_session(pty: Pty) -> None:
    with pytest.raises(TerminalGone, match=r"^the terminal is gone$"), FullScreen(pty.slave, pty.slave) as screen:
        screen.events(0)
        os.close(pty.master)
        run_menu(menu(timeout_ds=None), screen, lambda: 1000)


def test_no_terminal_is_refused_in_words() -> None:
    read, write = os.pipe()
    with pytest.raises(ChainbootError, match=r"^this is no terminal: "), FullScreen(read, write):
        pass


def test_a_terminal_that_takes_nothing_does_not_stop_the_countdown(pty: Pty) -> None:
    """Flow control that is off: nobody reads, the buffers fill, and the machine must still boot."""
    pty.resize(200, 60)
    now = 1000

    def clock() -> int:
        nonlocal now
        now += 1
        return now

    class Hurried(FullScreen):
        def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
            assert timeout_ds is not None
            return (*super().events(0), Resize(200, 40 + now % 20))

    with Hurried(pty.slave, pty.slave) as screen:
        choice = run_menu(menu(60, timeout_ds=3000), screen, clock)
        assert screen.busy
        assert choice == Choice(Action.BOOT, 1, by_timer=True)


def test_a_slow_line_gets_the_newest_frame(pty: Pty) -> None:
    pty.resize(200, 60)
    state = sized(menu(60, timeout_ds=None), 200, 60)
    with FullScreen(pty.slave, pty.slave) as screen:
        screen.events(0)
        for _ in range(200):
            state = after(state, "e")
            screen.draw(state)
            state = after(state, "Escape", "j")
            screen.draw(state)
        assert screen.busy
        settled(screen, state, pty)
        assert pty.rows() == expected(state, 200, 60)
    assert len(pty.sent) < 100_000  # frames that nobody could have seen were not sent


# -- which terminal


@pytest.mark.parametrize(
    ("term", "able"),
    [("linux", True), ("xterm-256color", True), ("vt100", True), ("dumb", False), ("", False), (None, False)],
)
def test_capable(pty: Pty, term: str | None, able: bool) -> None:
    assert capable(pty.slave, pty.slave, term) is able


def test_a_pipe_is_never_capable(pty: Pty) -> None:
    read, write = os.pipe()
    assert not capable(read, pty.slave, "linux")
    assert not capable(pty.slave, write, "linux")


@pytest.mark.parametrize(("term", "kind"), [("linux", FullScreen), ("dumb", LineMenu)])
def test_open_terminal(pty: Pty, monkeypatch: pytest.MonkeyPatch, term: str, kind: type) -> None:
    monkeypatch.setenv("TERM", term)
    with open_terminal(pty.slave, pty.slave) as terminal:
        assert isinstance(terminal, kind)
        terminal.draw(menu())
    pty.receive()
    assert READY.encode() in pty.sent


def test_numbered_lines_on_a_terminal(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    pty.type(b"foo\n2\n")
    with open_terminal(pty.slave, pty.slave) as terminal:
        assert run_menu(menu(), terminal, lambda: 1000) == Choice(Action.BOOT, 2)
    assert any(row.startswith("'foo' is no command") for row in pty.rows())


def test_ctrl_d_on_a_terminal_is_not_the_end_of_everything(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    pty.type(b"\x04")
    with open_terminal(pty.slave, pty.slave) as terminal:
        terminal.draw(menu())
        assert terminal.events(10) == (Key("q"),)
        pty.type(b"2\n")
        assert terminal.events(10) == (Boot(2),)


def not_canonical(pty: Pty) -> None:
    """The terminal as the drivers of 3215 and of the SCLP set it up: lines come whole, and nothing else is done."""
    attributes = termios.tcgetattr(pty.slave)
    attributes[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(pty.slave, termios.TCSANOW, attributes)


def test_an_end_of_input_that_is_a_character_is_one(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    not_canonical(pty)
    with open_terminal(pty.slave, pty.slave) as terminal:
        terminal.draw(menu())
        pty.type(b"\x042\n")
        assert terminal.events(10) == (Key("q"),)
        assert terminal.events(10) == (Boot(2),)


def test_an_end_of_input_in_the_editor_boots_nothing(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    pty.type(b"e 2\n\x042\n")
    with open_terminal(pty.slave, pty.slave) as terminal:
        assert run_menu(menu(), terminal, lambda: 1000) == Choice(Action.BOOT, 2)


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN], ids=["usual", "ignored"])
def test_an_interrupt_takes_back_what_was_typed(
    pty: Pty, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, handler: signal.Handlers
) -> None:
    """Also where the shell that started it has it ignore interrupts, as it does with what runs beside it."""
    before = signal.signal(signal.SIGINT, handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    monkeypatch.setenv("TERM", "dumb")
    not_canonical(pty)
    with open_terminal(pty.slave, pty.slave) as terminal:
        terminal.draw(menu())
        pty.type(b"pow")
        assert terminal.events(1) == ()
        interrupting = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
        interrupting.start()
        # What was typed before may come only now, and alone it is no event.
        assert next(filter(None, (terminal.events(100) for _ in range(3)))) == (Key("C-c"),)
        pty.type(b"2\n")
        assert terminal.events(10) == (Boot(2),)


def test_long_lines_are_broken_where_the_console_would_break_words(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    termios.tcsetwinsize(pty.slave, (0, 0))
    long = replace(entry(1), title=" ".join(["gener\u00e4tion"] * 20))
    with open_terminal(pty.slave, pty.slave) as terminal:
        terminal.draw(menu(items=(long,)))
    pty.receive()
    rows = pty.sent.decode("ascii").split("\r\n")
    assert max(map(len, rows)) <= 79
    assert " ".join(row.strip() for row in rows).count("gener?tion") == 20


def test_numbered_lines_end_when_the_terminal_hangs_up(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with pytest.raises(TerminalGone), open_terminal(pty.slave, pty.slave) as terminal:
        terminal.draw(menu())
        os.close(pty.master)
        terminal.events(10)
