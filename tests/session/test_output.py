"""Bytes for somebody who may not take them."""

from __future__ import annotations

import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import pytest
from session.emulator import Pty

from chainboot.session.output import Output, TerminalGone, line_cells, speak


def take(fd: int) -> bytes:
    os.set_blocking(fd, False)
    data = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except BlockingIOError:
            return data
        if not piece:
            return data
        data += piece


def test_what_does_not_go_at_once_goes_later_and_nothing_is_lost() -> None:
    read, write = os.pipe()
    output = Output(write)
    text = bytes(range(256)) * 1024  # a pipe holds a quarter of it
    output.write(text)
    assert output.pending
    got = take(read)
    while not output.push():
        got += take(read)
    assert got + take(read) == text
    assert output.push()
    assert os.get_blocking(write)


@pytest.mark.parametrize(
    ("term", "columns", "cells"),
    [("dumb", 0, 79), ("", 100, 99), (None, 80, 79), ("dumb", 5, 20), ("vt220", 0, None), ("linux", 100, None)],
)
def test_lines_are_broken_on_a_terminal_that_only_prints(
    pty: Pty, term: str | None, columns: int, cells: int | None
) -> None:
    termios.tcsetwinsize(pty.slave, (24 if columns else 0, columns))
    assert line_cells(pty.slave, term) == cells


def test_a_pipe_gets_its_lines_whole() -> None:
    read, write = os.pipe()
    assert line_cells(write, "dumb") is None
    output = Output(write)
    output.write_line("word " * 100)
    assert take(read) == b"word " * 100 + b"\n"


def test_a_line_is_broken_at_its_blanks_and_an_empty_one_is_kept() -> None:
    read, write = os.pipe()
    output = Output(write, 10)
    for line in ("  1  a b c d e f", "", "x" * 25, "short"):
        output.write_line(line)
    assert take(read) == b"  1  a b c\nd e f\n\nxxxxxxxxxx\nxxxxxxxxxx\nxxxxx\nshort\n"


def test_draining_a_reader_that_never_reads_ends() -> None:
    _read, write = os.pipe()
    output = Output(write)
    output.write(b"x" * 100000)
    output.drain(0.01)
    assert not output.pending


def test_a_backlog_does_not_grow_for_ever() -> None:
    read, write = os.pipe()
    output = Output(write)
    for number in range(400):
        output.write(b"%09d\n" % number * 1000)
    got = take(read)
    while not output.push():
        got += take(read)
    got += take(read)
    assert len(got) < 2_000_000
    assert got.endswith(b"000000399\n")


def test_nobody_there_is_said_so() -> None:
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(TerminalGone):
        Output(write).write(b"x")


def test_a_non_blocking_descriptor_is_fine() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    output = Output(write)
    output.write(b"x" * 100000)
    assert output.pending
    got = take(read)
    while not output.push():
        got += take(read)
    assert got + take(read) == b"x" * 100000


def test_a_terminal_that_is_shared_stays_blocking_for_the_others() -> None:
    master, slave = os.openpty()
    output = Output(slave)
    assert output.fileno() != slave
    output.write(b"x" * 500_000)
    assert output.pending
    assert os.get_blocking(slave)
    output.close()
    assert output.fileno() == slave
    os.close(master)
    os.close(slave)


@contextmanager
def hurry(seconds: int) -> Iterator[None]:
    """What takes longer fails, even where it waits in a system call."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"it still waits after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_line_for_a_terminal_that_is_stopped_is_not_waited_for(pty: Pty) -> None:
    termios.tcflow(pty.slave, termios.TCOOFF)
    descriptors = len(os.listdir("/proc/self/fd"))
    with hurry(15):
        speak("chainboot: booting", pty.slave)
    assert pty.receive() == b""
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert os.get_blocking(pty.slave)
    termios.tcflow(pty.slave, termios.TCOON)
    speak("chainboot: going on", pty.slave)
    assert b"going on" in pty.receive()


def test_a_line_for_a_full_pipe_is_not_waited_for() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 65536)
    os.set_blocking(write, True)
    with hurry(15):
        speak("chainboot: booting", write)
    assert b"booting" not in take(read)
    speak("chainboot: booting", write)
    assert take(read) == b"chainboot: booting\n"


def test_a_line_that_nobody_can_hear_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    speak("chainboot: booting", write)
    os.close(write)
    speak("chainboot: booting", write)


def test_a_line_is_utf_8() -> None:
    read, write = os.pipe()
    Output(write).write_line("é\udcff")
    assert os.read(read, 100) == "é?\n".encode()
