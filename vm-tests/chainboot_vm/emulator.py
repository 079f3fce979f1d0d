"""QEMU as something that can be switched on, told things and switched off; whose process it is, is left open.

Knows QEMU's character devices and its monitor; knows nothing of what a console says. `OwnQemu` is a child process of
ours, nixos_driver.py has the one that the NixOS test driver starts.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Sequence
from typing import Protocol, TextIO

from chainboot.errors import ChainbootError
from chainboot.process import pasteable

# No wait is longer than this, however slow emulation is; a machine that hangs must not hang the tests.
LONGEST_WAIT = 120

MONITOR_PROMPT = "(qemu) "


class EmulatorError(ChainbootError):
    """QEMU did not start, or its monitor does not answer."""


class Emulator(Protocol):
    """One machine, which may be switched on again and again."""

    def start(self, *, allow_reboot: bool) -> list[socket.socket]:
        """Power on, and return our end of each console. Raises `EmulatorError`."""

    def tell(self, command: str) -> str:
        """Tell the monitor something, and return all that it writes up to its next prompt. Raises `EmulatorError`."""

    def is_up(self) -> bool:
        """Whether QEMU runs."""

    def wait(self, seconds: float) -> bool:
        """Whether QEMU has ended `seconds` from now. Returns as soon as it has."""

    def end(self) -> str:
        """How QEMU ended, such as "exit code 1"."""

    def kill(self) -> None:
        """Power off, whatever state it is in; does nothing to a machine that is off."""


# Makes the emulator of a machine from its command, the arguments of each console (`{}` is its character device) and
# the log that takes what QEMU itself says.
EmulatorFactory = Callable[[Sequence[str], Sequence[Sequence[str]], TextIO], Emulator]


def console_name(number: int) -> str:
    """The character device behind console `number`."""
    return f"console{number}"


class OwnQemu:
    """QEMU as a child process, one socket for each console and one for its monitor."""

    def __init__(self, command: Sequence[str], consoles: Sequence[Sequence[str]], log: TextIO) -> None:
        self._command = tuple(command)
        self._consoles = tuple(consoles)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._monitor: socket.socket | None = None

    def start(self, *, allow_reboot: bool) -> list[socket.socket]:
        argv = [*self._command, *([] if allow_reboot else ["-no-reboot"])]
        ours: list[socket.socket] = []
        theirs: list[socket.socket] = []
        devices = [(console_name(number), device) for number, device in enumerate(self._consoles)]
        for name, device in (*devices, ("monitor", ("-mon", "chardev={},mode=readline"))):
            here, there = socket.socketpair()
            ours.append(here)
            theirs.append(there)
            argv += ["-chardev", f"socket,id={name},fd={there.fileno()}", *(word.format(name) for word in device)]
        self._log.write(f"$ {pasteable(argv)}\n")
        self._log.flush()
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            pass_fds=[end.fileno() for end in theirs],
        )
        for end in theirs:
            end.close()
        *consoles, self._monitor = ours
        self._monitor.settimeout(LONGEST_WAIT)
        try:
            self._answer()
        except EmulatorError:
            for end in consoles:
                end.close()
            raise
        return consoles

    def tell(self, command: str) -> str:
        if self._monitor is None:
            raise EmulatorError("the machine is off")
        self._monitor.sendall(f"{command}\n".encode())
        return self._answer()

    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds: float) -> bool:
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> str:
        return f"exit code {None if self._process is None else self._process.wait()}"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None

    def _answer(self) -> str:
        assert self._monitor is not None
        answer = b""
        while not answer.endswith(MONITOR_PROMPT.encode()):
            try:
                data = self._monitor.recv(4096)
            except OSError as error:
                raise EmulatorError("QEMU's monitor does not answer") from error
            if not data:
                raise EmulatorError(f"QEMU ended with {self.end()}; see {self._log.name}")
            answer += data
        return answer.decode("utf-8", "replace")
