"""A person at an SSH client: a process on a pseudo-terminal, and the terminal emulator in front of it.

Knows pseudo-terminals, processes and waiting; what is run is an argv that somebody else made. What the process says is
kept three times: as the screen that the person sees, as lines in the log, and as raw bytes.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

import pyte

from chainboot_vm.artifacts import program
from chainboot_vm.console import Console
from chainboot_vm.emulator import LONGEST_WAIT
from chainboot_vm.machine import MachineError, verbatim


class Journal(Protocol):
    """Who keeps the log; a `QemuMachine` does."""

    def note(self, what: str) -> None: ...

    def record(self, who: str, text: str) -> None: ...

    def seconds(self) -> float: ...


class Session:
    """`argv` on a terminal of `columns` x `rows` characters, in a session of its own.

    `term` is the TERM it is told, `name` what it is called in the log. Use it as a context manager, or let the machine
    that made it end it: nothing is left running.
    """

    def __init__(self, argv: Sequence[str], *, columns: int, rows: int, term: str, name: str, journal: Journal) -> None:
        self.name = name
        self.opened = time.monotonic()
        self._raw = bytearray()
        self._journal = journal
        self._log = Console()
        self._changed = threading.Condition()
        self._master, slave = os.openpty()
        self._emulator = _Terminal(columns, rows, self._answer)
        self._stream = pyte.ByteStream(self._emulator)
        self._odd: str | None = None
        termios.tcsetwinsize(slave, (rows, columns))
        try:
            # setsid(1) makes it the leader of a session with this terminal and then becomes it, process id and all:
            # so window changes arrive.
            self._process = subprocess.Popen(
                [program("setsid"), "--ctty", *argv],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env={**os.environ, "TERM": term},
            )
        except OSError:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # -- the person

    def send(self, keys: str) -> None:
        """Press `keys`."""
        self._journal.note(f"{self.name}: typing {keys!r}")
        if not self.is_open():
            raise MachineError(f"{self.name} has ended and can not be typed to: {keys!r}")
        self._answer(keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Make the window another size; the kernel tells the process."""
        self._journal.note(f"{self.name}: the window becomes {columns}x{rows}")
        with self._changed:
            self._emulator.resize(rows, columns)
        termios.tcsetwinsize(self._master, (rows, columns))

    def screen(self) -> list[str]:
        """The rows of the screen, without the blanks at their ends."""
        with self._changed:
            return [row.rstrip() for row in self._emulator.display]

    def lines(self) -> list[str]:
        """Every line that was ever written, without terminal sequences; the last one may have no end yet."""
        with self._changed:
            return [line.text for line in self._log.lines] + ([self._log.partial] if self._log.partial else [])

    @property
    def raw(self) -> bytes:
        """Every byte that the process has written."""
        with self._changed:
            return bytes(self._raw)

    def wait_for(self, regex: str, timeout: float = LONGEST_WAIT) -> float:
        """Wait until `regex` matches the screen's rows, joined by newlines.

        Returns the seconds since the session was opened. Raises `MachineError` with the screen after `timeout` seconds
        or when the process ends without having said it.
        """
        return self._wait(regex, timeout, wanted=True)

    def wait_until_gone(self, regex: str, timeout: float = LONGEST_WAIT) -> float:
        """The reverse of `wait_for`."""
        return self._wait(regex, timeout, wanted=False)

    def wait_for_exit(self, timeout: float = LONGEST_WAIT) -> int:
        """Wait until the process has ended by itself and return its exit code; minus the signal's number for one."""
        self._journal.note(f"{self.name}: waiting for the client to return")
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise self._failure(f"{self.name} had not returned after {timeout:g} s") from error
        self._reader.join(timeout)
        self._show(f"returned with exit code {code}")
        return code

    def is_open(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, as a laptop whose battery is empty: nothing is said to the other side."""
        self._journal.note(f"{self.name}: kill -9")
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process if it runs, and forget the terminal."""
        if self._master < 0:
            return
        self._process.kill()
        self._process.wait()
        self._reader.join()
        os.close(self._master)
        self._master = -1

    # -- inside

    def _wait(self, regex: str, timeout: float, *, wanted: bool) -> float:
        what = f"{'' if wanted else 'the end of '}{regex!r}"
        self._journal.note(f"{self.name}: waiting for {what}")
        pattern = re.compile(regex)
        until = time.monotonic() + timeout
        with self._changed:
            while True:
                ended = not self._reader.is_alive()  # looked up first: nothing comes after the search below
                if (pattern.search("\n".join(self.screen())) is not None) is wanted:
                    seconds = time.monotonic() - self.opened
                    break
                if self._odd is not None:
                    raise self._failure(f"{self.name}: the terminal emulator failed: {self._odd}")
                if ended:
                    code = self._process.wait()
                    raise self._failure(f"{self.name} ended (exit code {code}) before the screen showed {what}")
                if time.monotonic() >= until:
                    raise self._failure(f"{self.name}: the screen did not show {what} within {timeout:g} s")
                self._changed.wait(min(1.0, max(0.0, until - time.monotonic())))
        self._show(f"shows {what} after {seconds:.2f} s")
        return seconds

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # EIO: nobody has the other end any more
                data = b""
            with self._changed:
                self._raw += data
                new = self._log.feed(data, time.monotonic() - self.opened)
                try:
                    self._stream.feed(data)
                except Exception as error:
                    # pyte raises whatever it likes at sequences that it does not know.
                    self._odd = f"{type(error).__name__}: {error}"
                self._changed.notify_all()
            for line in new:
                self._journal.record(self.name, line.text)
            if not data:
                return

    def _answer(self, data: bytes) -> None:
        # A process that has gone reads no answer.
        with contextlib.suppress(OSError):
            os.write(self._master, data)

    def _show(self, what: str) -> None:
        self._journal.record(self.name, f"-- {what}")
        for row in self._rows():
            self._journal.record(self.name, f"| {row}")

    def _rows(self) -> list[str]:
        return "\n".join(self.screen()).rstrip().splitlines()

    def _failure(self, what: str) -> MachineError:
        self._show(what)
        shown = "".join(f"\n  | {row}" for row in self._rows())
        return verbatim(f"{what}. Its screen:{shown or ' nothing'}")


class _Terminal(pyte.Screen):
    """A screen that answers when it is asked where the cursor is."""

    def __init__(self, columns: int, rows: int, answer: Callable[[bytes], None]) -> None:
        self._answer = answer
        super().__init__(columns, rows)

    def write_process_input(self, data: str) -> None:
        self._answer(data.encode())
