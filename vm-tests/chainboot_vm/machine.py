"""A running machine and its consoles, with the method names of the NixOS test driver.

Knows sockets and time; knows nothing of how QEMU is run (emulator.py) nor of chainboot's screens. Scenarios depend on
the protocols here, never on a class.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from chainboot.errors import ChainbootError
from chainboot_vm.console import Console, Line
from chainboot_vm.emulator import LONGEST_WAIT, MONITOR_PROMPT, EmulatorError, EmulatorFactory, OwnQemu

SHOWN_LINES = 40

# What `qemu.console_devices` gives for a machine with one console.
ONE_CONSOLE = (("-serial", "chardev:{}"),)


class Machine(Protocol):
    """What a scenario may ask of a machine: the part of the NixOS test driver's that needs no shell in the guest."""

    def start(self, allow_reboot: bool = False) -> None:
        """Power on. Unless `allow_reboot`, a machine that resets itself is off."""

    def wait_for_console_text(self, regex: str, timeout: int | None = None) -> None:
        """Wait until whole lines on the first console match, and consume them. `timeout` is in seconds."""

    def send_console(self, chars: str) -> None:
        """Type on the first console."""

    def send_monitor_command(self, command: str) -> str:
        """Tell QEMU's monitor something, and return its answer."""

    def crash(self) -> None:
        """Simulate a sudden power failure."""

    def wait_for_shutdown(self) -> None:
        """Wait until the machine is off."""


class ManyConsoles(Machine, Protocol):
    """A machine with further serial consoles. The NixOS test driver's own has none; nixos_driver.py adds them."""

    def wait_for_text_on(self, console: int, regex: str, timeout: int | None = None) -> None:
        """`wait_for_console_text` for console number `console`, counting from 0."""

    def send_to(self, console: int, chars: str) -> None:
        """`send_console` for console number `console`, counting from 0."""


class MachineError(ChainbootError):
    """The machine did not do what was waited for; the message ends in what its console said last."""


class QemuMachine:
    """QEMU and what its consoles say.

    `command` is `qemu.command_line`, `consoles` are `qemu.console_devices`; `emulator` runs them. `log` gets every
    console line with the seconds since the start; `say` hears what is waited for, `echo` each line of the first
    console. Use it as a context manager: QEMU is dead afterwards, whatever happened.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        say: Callable[[str], None] = lambda _: None,
        echo: Callable[[str], None] = lambda _: None,
        consoles: Sequence[Sequence[str]] = ONE_CONSOLE,
        emulator: EmulatorFactory = OwnQemu,
    ) -> None:
        self.consoles = tuple(Console() for _ in consoles)
        self._say = say
        self._echo = echo
        self._changed = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._readers: list[threading.Thread] = []
        self._started = time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("w", encoding="utf-8")
        self._emulator = emulator(command, consoles, self._log)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._kill()
        for number, console in enumerate(self.consoles):
            if console.partial:
                self._write(number, Line(self.seconds(), console.partial))
        self._log.close()

    # -- the NixOS test driver's methods

    def start(self, allow_reboot: bool = False) -> None:
        if self.is_up():
            return
        self._kill()
        self.note("starting")
        self._started = time.monotonic()
        try:
            self._sockets = self._emulator.start(allow_reboot=allow_reboot)
        except EmulatorError as error:
            raise self._failure(0, error.message) from error
        self._readers = [
            threading.Thread(target=self._read, args=(number, end), daemon=True)
            for number, end in enumerate(self._sockets)
        ]
        for reader in self._readers:
            reader.start()

    def wait_for_console_text(self, regex: str, timeout: int | None = None) -> None:
        self.wait_for_text_on(0, regex, timeout)

    def send_console(self, chars: str) -> None:
        self.send_to(0, chars)

    def send_monitor_command(self, command: str) -> str:
        self.note(f"monitor: {command}")
        if not self.is_up():
            raise MachineError(f"the machine is off and can not be told: {command}")
        try:
            answer = self._emulator.tell(command)
        except EmulatorError as error:
            raise self._failure(0, error.message) from error
        # The readline echoes what was typed, with cursor movements, as the first line.
        return answer.removesuffix(MONITOR_PROMPT).partition("\n")[2].replace("\r", "")

    def crash(self) -> None:
        self.note("power failure")
        self._kill()

    def wait_for_shutdown(self) -> None:
        self.note("waiting for the machine to be off")
        if not self._emulator.wait(LONGEST_WAIT):
            raise self._failure(0, f"the machine was still on after {LONGEST_WAIT} s")

    def is_up(self) -> bool:
        """Whether QEMU runs."""
        return self._emulator.is_up()

    @contextlib.contextmanager
    def subtest(self, name: str) -> Iterator[None]:
        """Say what the next steps are about."""
        self.note(f"subtest: {name}")
        yield

    # -- further consoles

    def wait_for_text_on(self, console: int, regex: str, timeout: int | None = None) -> None:
        wanted = _plain(regex) + (f" on console {console}" if console else "")
        self.note(f"waiting for {wanted}")
        pattern = re.compile(regex)
        limit = LONGEST_WAIT if timeout is None else min(timeout, LONGEST_WAIT)
        until = time.monotonic() + limit
        with self._changed:
            while not self.consoles[console].search(pattern):
                # A reader ends after the last byte, so nothing can follow that has not been searched.
                if not self._readers[console].is_alive() and not self.consoles[console].search(pattern):
                    raise self._failure(
                        console, f"QEMU ended ({self._emulator.end()}) before the console said {wanted}"
                    )
                if time.monotonic() >= until:
                    raise self._failure(console, f"the console did not say {wanted} within {limit} s")
                self._changed.wait(min(1.0, max(0.0, until - time.monotonic())))

    def send_to(self, console: int, chars: str) -> None:
        self.note(f"typing {chars!r}" + (f" on console {console}" if console else ""))
        if not self.is_up():
            raise MachineError(f"the machine is off and can not be typed to: {chars!r}")
        self._sockets[console].sendall(chars.encode())

    # -- the log and the clock

    def note(self, what: str) -> None:
        """Say what happens now, here and in the log."""
        with self._changed:
            self._log.write(f"[{self.seconds():8.2f}] -- {what}\n")
            self._log.flush()
        self._say(what)

    def record(self, who: str, text: str) -> None:
        """Put a line into the log that is not this machine's, such as what an SSH client was told."""
        with self._changed:
            if not self._log.closed:
                self._log.write(f"[{self.seconds():8.2f}] {who} {text}\n")
                self._log.flush()

    def seconds(self) -> float:
        """How long ago the machine was started."""
        return time.monotonic() - self._started

    def seconds_of(self, regex: str) -> float | None:
        """When the first line on the first console that matches came, in seconds since the start; None if none has."""
        with self._changed:
            found = self.consoles[0].first(re.compile(regex))
        return None if found is None else found.seconds

    # -- inside

    def _read(self, number: int, end: socket.socket) -> None:
        while True:
            try:
                data = end.recv(65536)
            except OSError:
                data = b""
            with self._changed:
                for line in self.consoles[number].feed(data, self.seconds()):
                    self._write(number, line)
                    if number == 0:
                        self._echo(line.text)
                if not data:
                    self._changed.notify_all()
                    return
                self._changed.notify_all()

    def _kill(self) -> None:
        self._emulator.kill()
        for reader in self._readers:
            reader.join()  # ends by itself: QEMU's end of the socket is closed
        for end in self._sockets:
            end.close()
        self._readers, self._sockets = [], []

    def _failure(self, console: int, what: str) -> MachineError:
        said = "".join(f"\n  | {text}" for text in self.consoles[console].tail(SHOWN_LINES))
        return verbatim(f"{what}. The console's last lines:{said or ' none'}")

    def _write(self, number: int, line: Line) -> None:
        name = f"{number} " if len(self.consoles) > 1 else ""
        self._log.write(f"[{line.seconds:8.2f}] {name}{line.text}\n")
        self._log.flush()


class _ConsoleError(MachineError):
    """An error whose message has lines of its own; what they hold has been made readable already."""

    def __str__(self) -> str:
        return self.message


def _plain(regex: str) -> str:
    """`regex` as a person reads it: without the backslashes that re.escape puts before blanks and dots."""
    return repr(re.sub(r"\\([^A-Za-z0-9])", r"\1", regex).rstrip("\n"))


def verbatim(message: str) -> MachineError:
    """An error of several lines, shown as they are: the caller has made them readable."""
    return _ConsoleError(message)
