"""The turn to boot a running system: one person at a time, until the machine goes down.

Held by whoever loads a kernel on a running system, `chainboot boot` or a login shell. Knows nothing of entries, and
nothing of the first stage, whose sessions share theirs (session/presence.py).
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from chainboot.boot.kexec import perform
from chainboot.boot.lock import try_lock
from chainboot.boot.plan import BootPlan
from chainboot.errors import ChainbootError, RefusedError, reason
from chainboot.process import Runner
from chainboot.settings import RUNTIME
from chainboot.text import clip, printable

STOPPING = "this machine is shutting down already"

FILE = "turn"  # below the runtime directory

_NAME_BYTES = 1000
_NAME_CELLS = 200

# `systemctl kexec` only asks for it: a delay inhibitor may keep services up for InhibitDelayMaxSec, 5 s unless
# logind.conf(5) says another number, and a second person must not take the kernel away meanwhile. Seconds.
PATIENCE = 15.0
_LOOK_S = 0.25
_ASK_S = 5.0


class Turn:
    """What the one whose turn it is may do. Made by `take_turn`."""

    def __init__(self) -> None:
        self.kept = False

    def boot(
        self,
        plan: BootPlan,
        run: Runner,
        say: Callable[[str], None],
        loaded: Callable[[], bool],
        record: Callable[[], None] = lambda: None,
    ) -> None:
        """`perform`; where it fails, the reason also says what it cost: `loaded` tells whether a kernel is loaded."""
        before = loaded()
        try:
            perform(plan, run, say, record)
        except ChainbootError as error:
            if not before or loaded():
                raise
            raise RefusedError(
                f"{error.message}; the kernel that was loaded before is unloaded too", hint=error.hint
            ) from error

    def hand_over(
        self, run: Runner, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> bool:
        """After `systemctl kexec`: wait until the system stops, and keep the turn until this process ends.

        `clock` and `sleep` are in seconds. False where it still runs after `PATIENCE`; then the turn can end.
        """
        until = clock() + PATIENCE
        while not is_stopping(run):
            if clock() >= until:
                return False
            sleep(_LOOK_S)
        self.kept = True
        return True


@contextmanager
def take_turn(name: str, runtime: str = RUNTIME) -> Iterator[Turn]:
    """Nobody else boots meanwhile; `name` is what they are told. Raises `RefusedError`, which names who does.

    Nothing in it may wait for a person or a terminal: everybody else waits for that too.
    """
    try:
        os.makedirs(runtime, mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(f"{runtime}/{FILE}", flags, 0o600)
    except OSError as error:
        raise RefusedError(f"{runtime} cannot be used: {reason(error)}") from error
    turn = Turn()
    try:
        if not try_lock(descriptor, fcntl.LOCK_EX):
            told = os.pread(descriptor, _NAME_BYTES, 0).decode("utf-8", "replace")
            who = clip(printable(told).strip(), _NAME_CELLS) or "somebody else"
            raise RefusedError(f"{who} boots this machine right now")
        _write(descriptor, name)
        try:
            yield turn
        finally:
            if not turn.kept:
                _write(descriptor, "")  # while it is still ours: the next name stands there before anybody asks
    finally:
        if not turn.kept:  # else it ends with the process
            os.close(descriptor)


def _write(descriptor: int, name: str) -> None:
    with suppress(OSError):  # no room for a name is no reason not to boot
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, name.encode("utf-8", "replace")[:_NAME_BYTES], 0)


def is_stopping(run: Runner) -> bool:
    """Whether systemd shuts the system down. systemctl(1), is-system-running: `stopping` from its first moment on."""
    with suppress(ChainbootError):
        asked = run(["systemctl", "is-system-running"], check=False, timeout=_ASK_S)
        return asked.stdout.strip() == "stopping"
    return False


@contextmanager
def unshaken() -> Iterator[None]:
    """A connection that is lost, or a key, does not end this half way, nor stop it: what is loaded would turn a restart
    into a boot of it, and whoever is stopped keeps everybody else waiting.
    """
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP)
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
