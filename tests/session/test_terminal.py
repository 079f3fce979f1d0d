"""The full screen on a pseudo-terminal: what arrives is fed to a terminal emulator and compared with the frame."""

from __future__ import annotations

import os
import signal
import termios
from dataclasses import replace

import pytest
from session.emulator import Pty, expected, settled
from session.menus import after, entry, menu, sized
from session.test_frame import SIZES, STATES

from chainboot.session.events import Event, Key, Resize, Tick
from chainboot.session.loop import run_menu
from chainboot.session.screen import READY, Action, Choice, render
from chainboot.session.terminal import FullScreen


@pytest.mark.parametrize("size", SIZES)
def test_the_terminal_shows_the_frames_one_after_the_other(size: tuple[int, int]) -> None:
    pty = Pty(*size, answers=True)
    with FullScreen(pty.slave, pty.slave) as screen:
        settled(screen, sized(menu(), *size), pty)  # by now it has said that it reads UTF-8
        for name in [*STATES, *reversed(STATES)]:
            state = sized(STATES[name], *size)
            settled(screen, state, pty)
            frame = render(state, *size)
            assert pty.rows() == expected(state, *size), name
            assert pty.reversed_rows() == ([] if frame.selected_row is None else [frame.selected_row])
            assert pty.emulator.cursor.hidden == (frame.cursor is None)
            if frame.cursor is not None:
                assert (pty.emulator.cursor.y, pty.emulator.cursor.x) == frame.cursor
    pty.close()


LATIN = menu(items=(replace(entry(1), title="\u00dcbersicht \u00db31m"),))


def test_a_terminal_gets_ascii_until_it_has_shown_that_it_reads_utf_8(pty: Pty) -> None:
    # 0xDB is the second byte of nothing, but U+00DB is C3 9B, and 9B alone is CSI to a terminal of eight bits.
    with FullScreen(pty.slave, pty.slave) as screen:
        settled(screen, LATIN, pty)
        drawn = pty.sent.split(b"\x1b[2J", 1)[1]
        assert b"?bersicht ?31m" in drawn
        assert b"\x9b" not in drawn
        pty.type(b"\x1b[2;21R")
        assert screen.events(0) == ()
        assert "\u00dcbersicht \u00db31m".encode() in pty.receive(), "it is drawn anew without waiting for a key"


def test_a_terminal_that_does_not_read_utf_8_never_gets_it(pty: Pty) -> None:
    with FullScreen(pty.slave, pty.slave) as screen:
        settled(screen, LATIN, pty)
        pty.type(b"\x1b[2;22R")
        assert screen.events(0) == ()
        settled(screen, after(LATIN, Tick(1010)), pty)
        assert b"\x9b" not in pty.sent.split(b"\x1b[2J", 1)[1]


def test_every_row_is_a_whole_line_for_a_reader_of_lines(pty: Pty) -> None:
    state = menu()
    with FullScreen(pty.slave, pty.slave) as screen:
        settled(screen, state, pty)
    lines = pty.sent.split(b"\r\n")
    for row in render(state, 80, 24).lines:
        assert sum(row.encode() in line for line in lines) >= 1
    assert sum(READY.encode() in line for line in lines) == 1
    status = next(line for line in lines if READY.encode() in line)
    assert status.endswith(b"booting in 5 s\x1b[K")


def test_only_what_changed_is_sent(pty: Pty) -> None:
    with FullScreen(pty.slave, pty.slave) as screen:
        settled(screen, menu(), pty)
        screen.draw(menu())
        assert pty.receive() == b""
        screen.draw(after(menu(), Tick(1010)))
        assert pty.receive().count(b"\x1b[K\r\n") == 2  # the countdown for a person, and for a machine


def test_ctrl_l_draws_everything_anew(pty: Pty) -> None:
    with FullScreen(pty.slave, pty.slave) as screen:
        settled(screen, menu(), pty)
        screen.events(0)
        pty.emulator.reset()
        pty.type(b"\x0c")
        assert screen.events(10) == (Key("C-l"),)
        settled(screen, menu(), pty)
        assert pty.rows() == expected(menu(), 80, 24)


def test_the_first_event_is_the_size(pty: Pty) -> None:
    pty.resize(40, 10)
    with FullScreen(pty.slave, pty.slave) as screen:
        assert screen.events(None) == (Resize(40, 10),)
        assert screen.events(0) == ()


def test_a_new_window_size_is_an_event_and_draws_everything(pty: Pty) -> None:
    with FullScreen(pty.slave, pty.slave) as screen:
        screen.events(0)
        settled(screen, menu(), pty)
        pty.resize(40, 10)
        os.kill(os.getpid(), signal.SIGWINCH)
        assert screen.events(100) == (Resize(40, 10),)
        settled(screen, sized(menu(), 40, 10), pty)
        assert pty.rows() == expected(sized(menu(), 40, 10), 40, 10)


def test_a_line_without_a_size_is_asked_for_it(pty: Pty) -> None:
    termios.tcsetwinsize(pty.slave, (0, 0))
    with FullScreen(pty.slave, pty.slave) as screen:
        assert screen.events(0) == (Resize(80, 24),)
        settled(screen, menu(), pty)
        assert b"\x1b[999;999H\x1b[6n" in pty.sent
        pty.type(b"\x1b[2;21R")  # the question about the character set came first
        assert screen.events(0) == ()
        pty.type(b"\x1b[30;100R")
        assert screen.events(10) == (Resize(100, 30),)
        pty.emulator.resize(30, 100)
        settled(screen, sized(menu(), 100, 30), pty)
        assert pty.rows() == expected(sized(menu(), 100, 30), 100, 30)


def test_a_size_that_nobody_asked_for_is_noise(pty: Pty) -> None:
    with FullScreen(pty.slave, pty.slave) as screen:
        screen.events(0)
        pty.type(b"\x1b[30;100Rj")
        assert screen.events(10) == (Key("j"),)


@pytest.mark.parametrize(
    ("typed", "events"),
    [
        (b"j", (Key("j"),)),
        (b"\r", (Key("Enter"),)),
        (b"\x03", (Key("C-c"),)),  # no signal
        (b"\x1a", (Key("C-z"),)),
        (b"\x11\x13", (Key("C-q"), Key("C-s"))),  # no flow control
        (b"\x1b[A\x1b[B", (Key("Up"), Key("Down"))),
        ("é漢".encode(), (Key("é"), Key("漢"))),
    ],
)
def test_keys(pty: Pty, typed: bytes, events: tuple[Event, ...]) -> None:
    with FullScreen(pty.slave, pty.slave) as screen:
        screen.events(0)
        pty.type(typed)
        assert screen.events(None) == events


def test_a_lone_escape_is_the_escape_key(pty: Pty) -> None:
    with FullScreen(pty.slave, pty.slave) as screen:
        screen.events(0)
        pty.type(b"\x1b")
        assert screen.events(None) == (Key("Escape"),)
        pty.type(b"\x1b")
        assert [screen.events(5), screen.events(5)].count((Key("Escape"),)) == 1


def test_an_escape_sequence_may_come_in_pieces(pty: Pty) -> None:
    with FullScreen(pty.slave, pty.slave) as screen:
        screen.events(0)
        pty.type(b"\x1b[")
        assert screen.events(0) == ()
        pty.type(b"A")
        assert screen.events(None) == (Key("Up"),)


def test_what_was_typed_before_the_menu_came_is_not_lost(pty: Pty) -> None:
    pty.type(b"j\n")
    with FullScreen(pty.slave, pty.slave) as screen:
        assert run_menu(menu(), screen, lambda: 1000) == Choice(Action.BOOT, 2)


def test_a_whole_session(pty: Pty) -> None:
    """Keys as a person presses them: each after the screen has answered the one before."""
    presses = [b"3", b"\r", b"\x1b[A", b"e", b"\x15", *(bytes([byte]) for byte in b"quiet 1"), b"\x17", b"2", b"\r"]

    class Person(FullScreen):
        def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
            pty.receive()
            pty.type(presses.pop(0))
            while not (events := super().events(timeout_ds)) or isinstance(events[0], Resize):
                pty.receive()
            return events

    with Person(pty.slave, pty.slave) as screen:
        assert run_menu(menu(), screen, lambda: 1000) == Choice(Action.BOOT, 2, "quiet 2")
    assert not presses
    pty.receive()
    assert b"chainboot: cannot boot nixos-40-default" in pty.sent
    assert b"chainboot: editing nixos-41-default" in pty.sent
