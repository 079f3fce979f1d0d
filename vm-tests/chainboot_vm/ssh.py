"""OpenSSH's client as the other end of the first stage's server, with nothing of this user's configuration.

Knows ssh's options and the protocol's first line; knows nothing of QEMU: where the server is, it is told.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chainboot.process import pasteable
from chainboot_vm.access import HOST
from chainboot_vm.artifacts import program
from chainboot_vm.console import readable
from chainboot_vm.emulator import LONGEST_WAIT
from chainboot_vm.machine import verbatim
from chainboot_vm.ssh_session import Journal, Session

ADDRESS = "127.0.0.1"

# Seconds. QEMU accepts a connection whether the guest listens or not, so only a banner says that somebody is there.
_BANNER_WAIT = 2.0
_PAUSE = 0.2
_BANNER = b"SSH-2.0-"
_LONGEST_BANNER = 255  # RFC 4253, 4.2


@dataclass(frozen=True, slots=True)
class Completed:
    """What a client left behind. `code` is its exit code, `seconds` how long it ran."""

    code: int
    stdout: str
    stderr: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a client calls and as whom.

    `identity` is a private key file, None for no key. `known_hosts` holds the server's key; unless it is `pinned`, the
    key that is seen first is put into it. `options` are further ones as in ssh_config(5), `NAME=VALUE`; they win.
    """

    identity: Path | None
    known_hosts: Path
    pinned: bool = True
    user: str = "root"
    options: tuple[str, ...] = ()

    def argv(self, port: int, client: str = "ssh") -> tuple[str, ...]:
        """The client `client` (ssh, scp or sftp) and its options, up to the host."""
        options = [
            *self.options,
            f"Hostname={ADDRESS}",
            f"Port={port}",
            f"User={self.user}",
            f"HostKeyAlias={HOST}",
            f"UserKnownHostsFile={_quoted(self.known_hosts)}",
            "GlobalKnownHostsFile=/dev/null",
            f"StrictHostKeyChecking={'yes' if self.pinned else 'accept-new'}",
            "UpdateHostKeys=no",
            f"IdentityFile={'none' if self.identity is None else _quoted(self.identity)}",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "BatchMode=yes",
            # Counts up to the end of the key exchange, which takes its time under emulation.
            "ConnectTimeout=30",
        ]
        return (program(client), "-F", "none", *(word for option in options for word in ("-o", option)))


class Client:
    """Calls one server as one person. `name` is whose key it has, as the log shows it.

    `port` says where the server is now: a machine that was started again is behind another port. `opened` is told of
    each interactive session.
    """

    def __init__(
        self,
        name: str,
        target: Target,
        port: Callable[[], int],
        journal: Journal,
        opened: Callable[[Session], None] = lambda _: None,
    ) -> None:
        self._name = name
        self._target = target
        self._port = port
        self._journal = journal
        self._opened = opened
        self._sessions = 0

    def run(self, *words: str, input: str | None = None, timeout: float = LONGEST_WAIT) -> Completed:  # noqa: A002
        """`ssh host WORDS` without a terminal; `input` is its stdin, which is empty without. Never raises for a code.

        Raises `MachineError` when it has not returned after `timeout` seconds.
        """
        # Without the dashes ssh would take words after the host for options of its own.
        return self._complete((*self._argv("ssh"), "--", HOST, *words), " ".join(("ssh", *words)), input, timeout)

    def transfer(self, client: str, *words: str, timeout: float = LONGEST_WAIT) -> Completed:
        """`scp WORDS` or `sftp WORDS`, as `client` says. In the words, the server is called `access.HOST`."""
        return self._complete((*self._argv(client), *words), " ".join((client, *words)), None, timeout)

    def open(
        self, *words: str, columns: int = 80, rows: int = 24, term: str = "xterm-256color", tty: bool = True
    ) -> Session:
        """`ssh host WORDS` as a person types it at a terminal. Without `tty` the server gives none (`ssh -T`)."""
        self._sessions += 1
        name = f"{self._name}#{self._sessions}"
        self._journal.note(f"{name}: ssh {' '.join(words)} in {columns}x{rows}{'' if tty else ', -T'}")
        argv = (*self._argv("ssh"), "-t" if tty else "-T", "--", HOST, *words)
        made = Session(argv, columns=columns, rows=rows, term=term, name=name, journal=self._journal)
        self._opened(made)
        return made

    def connect(self) -> socket.socket:
        """A TCP connection to the server that says nothing."""
        return socket.create_connection((ADDRESS, self._port()), _BANNER_WAIT)

    def banner_seconds(self, timeout: float = _BANNER_WAIT) -> float | None:
        """The seconds from a new connection to the server's banner; None if there was none within `timeout` seconds."""
        began = time.monotonic()
        heard = b""
        try:
            with self.connect() as connection:
                connection.settimeout(timeout)
                while b"\n" not in heard and len(heard) < _LONGEST_BANNER:
                    data = connection.recv(_LONGEST_BANNER)
                    if not data:
                        return None
                    heard += data
        except OSError:
            return None
        return time.monotonic() - began if heard.startswith(_BANNER) else None

    def wait_for_ssh(self, timeout: float = LONGEST_WAIT) -> float:
        """Wait until the server shows its banner. Returns the seconds since the machine was started."""
        self._journal.note("waiting for the SSH server")
        until = time.monotonic() + timeout
        while self.banner_seconds() is None:
            if time.monotonic() >= until:
                raise verbatim(f"no SSH server answered within {timeout:g} s")
            time.sleep(_PAUSE)
        seconds = self._journal.seconds()
        self._journal.record("ssh", f"-- the server answers {seconds:.2f} s after the start")
        return seconds

    def _argv(self, client: str) -> tuple[str, ...]:
        return self._target.argv(self._port(), client)

    def _complete(self, argv: Sequence[str], what: str, text: str | None, timeout: float) -> Completed:
        self._journal.note(f"{self._name}: {what}")
        began = time.monotonic()
        try:
            done = subprocess.run(
                list(argv), check=False, input=(text or "").encode(), capture_output=True, timeout=timeout
            )
        except subprocess.TimeoutExpired as error:
            said = "".join(f"\n  | {line}" for line in _lines(error.stdout) + _lines(error.stderr))
            raise verbatim(
                f"{self._name}: {what} had not returned after {timeout:g} s. It said:{said or ' nothing'}\n"
                f"The command was: {pasteable(argv)}"
            ) from error
        seconds = time.monotonic() - began
        for stream, data in (("stdout", done.stdout), ("stderr", done.stderr)):
            for line in _lines(data):
                self._journal.record(self._name, f"{stream}: {line}")
        self._journal.record(self._name, f"-- exit code {done.returncode} after {seconds:.2f} s")
        return Completed(done.returncode, _text(done.stdout), _text(done.stderr), seconds)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _lines(data: bytes | None) -> list[str]:
    return [readable(line) for line in (data or b"").decode("utf-8", "replace").splitlines()]


def _quoted(path: Path) -> str:
    """As ssh_config(5) takes a path that may hold blanks; a percent sign would begin a token."""
    return '"' + str(path).replace("%", "%%") + '"'
