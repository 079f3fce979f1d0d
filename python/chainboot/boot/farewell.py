"""The end of all SSH sessions, before the network goes: a client that gets no goodbye hangs until its own timeout.

`kexec -e` takes every interface down before it jumps. Sessions end by themselves once they have read that the machine
leaves (session/shared); this module waits for that, and ends what does not.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from chainboot.boot.lock import try_lock
from chainboot.boot.plan import EndSessions
from chainboot.settings import RUNTIME

_SERVER = "dropbear"
_POLL_S = 0.1
# For a client's answer to the end of its session, and for the kernel to send the last packets, in seconds.
_LAST_WORDS_S = 0.3
_CONSOLES_S = 1.5


def end_sessions(
    step: EndSessions,
    *,
    runtime: str = RUNTIME,
    proc: str = "/proc",
    kill: Callable[[int, int], None] = os.kill,
) -> None:
    """End every session and the server. Takes `step.patience` seconds at most, and a second for those who stay."""
    main = _number(f"{runtime}/ssh/pid")
    if main is not None and _named(main, proc):
        _signal(main, signal.SIGTERM, kill)  # first: nobody new comes in
    began = time.monotonic()
    # Whoever watches at a console is to read what happens, too, and looks once a second.
    least = _CONSOLES_S if _someone(f"{runtime}/sessions") else 0.0
    while (passed := time.monotonic() - began) < step.patience and (
        passed < least or _someone(f"{runtime}/sessions") or _servers(proc)
    ):
        time.sleep(_POLL_S)
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = _servers(proc)
        for pid in left:
            _signal(pid, number, kill)
        if left:
            time.sleep(_LAST_WORDS_S)
    time.sleep(_LAST_WORDS_S)


def _someone(sessions: str) -> bool:
    """Whether a session of somebody over SSH is still there: its process holds a lock on its file."""
    with suppress(OSError):
        for name in os.listdir(sessions):
            if name.startswith("remote-") and _is_locked(f"{sessions}/{name}"):
                return True
    return False


def _is_locked(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _servers(proc: str) -> list[int]:
    """Every process of the SSH server: its main one, and one for each connection, whoever their parent is by now."""
    with suppress(OSError):
        return [int(name) for name in os.listdir(proc) if name.isdigit() and _named(int(name), proc)]
    return []


def _named(pid: int, proc: str) -> bool:
    with suppress(OSError), open(f"{proc}/{pid}/stat", encoding="utf-8", errors="replace") as file:
        name, _, rest = file.read(400).partition("(")[2].rpartition(")")
        return name == _SERVER and rest.split()[:1] != ["Z"]
    return False


def _number(path: str) -> int | None:
    with suppress(OSError, ValueError), open(path, encoding="ascii", errors="replace") as file:
        return int(file.read(20))
    return None


def _signal(pid: int, number: int, kill: Callable[[int, int], None]) -> None:
    with suppress(OSError):
        kill(pid, number)
