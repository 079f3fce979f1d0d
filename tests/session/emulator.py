"""A pseudo-terminal with a person's terminal emulator at its other end."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import unicodedata

import pyte

from chainboot.session.screen import ScreenState, render
from chainboot.session.terminal import FullScreen


class Pty:
    """A pseudo-terminal, the emulator that a person sits in front of, and the bytes it was sent."""

    def __init__(self, columns: int = 80, rows: int = 24, *, answers: bool = False) -> None:
        """`answers`: it tells where its cursor is when it is asked; a serial line with nobody there does not."""
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        self.size = (columns, rows)
        termios.tcsetwinsize(self.slave, (rows, columns))
        self.emulator = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.emulator)
        if answers:
            self.emulator.write_process_input = lambda data: self.type(data.encode())
        self.sent = b""

    def type(self, data: bytes) -> None:
        os.write(self.master, data)

    def resize(self, columns: int, rows: int) -> None:
        termios.tcsetwinsize(self.slave, (rows, columns))
        self.emulator.resize(rows, columns)

    def receive(self) -> bytes:
        """Everything that was sent since the last call, shown by the emulator."""
        data = b""
        while select.select([self.master], [], [], 0)[0]:
            try:
                data += os.read(self.master, 65536)
            except OSError:
                break
        self._stream.feed(data)
        self.sent += data
        return data

    def rows(self) -> list[str]:
        self.receive()
        return [unicodedata.normalize("NFC", row.rstrip()) for row in self.emulator.display]

    def reversed_rows(self) -> list[int]:
        self.receive()
        return [
            at for at in range(self.emulator.lines) if any(cell.reverse for cell in self.emulator.buffer[at].values())
        ]

    def close(self) -> None:
        for descriptor in {self.master, self.slave}:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def settled(screen: FullScreen, state: ScreenState, pty: Pty) -> None:
    """Draw `state` and let a slow reader catch up."""
    screen.draw(state)
    pty.receive()
    screen.events(0)
    pty.receive()
    while screen.busy:
        screen.events(0)
        pty.receive()


def expected(state: ScreenState, columns: int, rows: int) -> list[str]:
    lines = [unicodedata.normalize("NFC", line.rstrip()) for line in render(state, columns, rows).lines]
    return lines + [""] * (rows - len(lines))
