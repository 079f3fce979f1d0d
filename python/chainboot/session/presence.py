"""Who is at the machine, and who may boot it: locks that the kernel keeps.

There is no daemon and no state to go stale: a session that dies, however it dies, frees its locks (flock(2)). Each
session that somebody is at has a file of its own below `sessions`, locked, which says who that is.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from dataclasses import dataclass

from chainboot.boot.lock import try_lock
from chainboot.settings import RUNTIME
from chainboot.text import printable

# A name is a key's comment and an address; more is a joke at the expense of everybody's screen.
_LONGEST_NAME = 200
# More than dropbear serves; the screen shows a few of them.
_MOST_SESSIONS = 500

# What first-stage/ssh-session calls the file of somebody who is let in while Python starts; its process number follows.
_STARTING = "remote-starting-"

# Together half a second: as long as it takes to look whether a kernel is loaded, and to unload it.
_ATTEMPTS = 10
_ATTEMPT_S = 0.05


@dataclass(frozen=True, slots=True)
class Attached:
    """Somebody who is here. `remote`: over SSH."""

    name: str
    remote: bool


class Presence:
    """One session's hold on what is below `runtime`. `name` is who sits there, as others are told.

    `starting` is the file by which whatever started this session has held its place; `attach` takes it over.
    """

    def __init__(
        self, runtime: str = RUNTIME, *, name: str = "somebody", remote: bool = False, starting: str = ""
    ) -> None:
        self._sessions = f"{runtime}/sessions"
        os.makedirs(self._sessions, mode=0o700, exist_ok=True)
        self._hold = f"{runtime}/hold"
        self._name = printable(name)[:_LONGEST_NAME]
        self._remote = remote
        self._boot = os.open(f"{runtime}/boot", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._mine = ""
        self._starting = os.path.basename(starting)
        self._attached: int | None = None
        self._claimed = False

    def attach(self) -> None:
        """Say that a person is here: nothing boots by itself meanwhile."""
        if self._attached is not None:
            return
        with suppress(OSError):  # no room for a file: somebody whom the others do not see is better than nobody
            self._attached = self._file()
            if self._starting:
                os.unlink(f"{self._sessions}/{self._starting}")

    def _file(self) -> int:
        """This session's file, locked, and its descriptor."""
        kind = "remote" if self._remote else "console"
        self._mine = f"{kind}-{os.getpid()}-{id(self):x}"
        fresh = f"{self._sessions}/.{self._mine}"
        descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(OSError):  # no room for a name: the lock is what counts
                os.pwrite(descriptor, self._name.encode("utf-8", "replace"), 0)
            # Only a file that is locked already gets a name that others look at.
            os.rename(fresh, f"{self._sessions}/{self._mine}")
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def detach(self) -> None:
        """Say that the person has left."""
        if self._attached is None:
            return
        with suppress(OSError):
            os.unlink(f"{self._sessions}/{self._mine}")
        os.close(self._attached)
        self._attached = None

    @property
    def attached(self) -> bool:
        """Whether a person is here."""
        return self._attached is not None

    def others(self) -> tuple[Attached, ...]:
        """Everybody who is at another session. Files of sessions that died are removed."""
        return tuple(each for name, each in _living(self._sessions) if name not in (self._mine, self._starting))

    # -- holding the countdown beyond one's own session

    def hold(self) -> None:
        """Stop the countdown until `resume`, whoever comes and goes."""
        # Two who hold at the same time must not write into each other's file.
        fresh = f"{self._hold}.{os.getpid()}.new"
        try:
            with open(fresh, "w", encoding="utf-8", errors="replace") as file:
                file.write(self._name)
            os.rename(fresh, self._hold)
        except OSError:
            with suppress(OSError):
                os.unlink(fresh)
            raise

    def resume(self) -> bool:
        """Undo `hold`. Returns whether there was one."""
        try:
            os.unlink(self._hold)
        except FileNotFoundError:
            return False
        return True

    def holder(self) -> str:
        """Who holds the countdown by `hold`; empty: nobody."""
        return _name(self._hold)

    # -- the right to boot

    def claim_boot(self, sentence: str) -> str | None:
        """Take the right to boot and return None; or return what the session that has it is doing.

        `sentence` says that to the others, without a full stop: `the timer boots nixos-42-default`.
        """
        # Another session that asks who boots holds the lock for a moment, which must not pass for a boot.
        for attempt in range(_ATTEMPTS):
            if try_lock(self._boot, fcntl.LOCK_EX):
                break
            if attempt == _ATTEMPTS - 1:
                return self.booting()
            time.sleep(_ATTEMPT_S)
        self._claimed = True
        with suppress(OSError):  # no room: the lock is what counts, the others are told less
            os.ftruncate(self._boot, 0)
            os.pwrite(self._boot, printable(sentence).encode("utf-8", "replace")[: 2 * _LONGEST_NAME], 0)
        return None

    def boot_claimed(self) -> bool:
        """Whether a session has the right to boot now, be it this one."""
        if self._claimed or not try_lock(self._boot, fcntl.LOCK_SH):
            return True
        fcntl.flock(self._boot, fcntl.LOCK_UN)
        return False

    def booting(self) -> str:
        """What the session that has the right to boot said it does."""
        told = os.pread(self._boot, 2 * _LONGEST_NAME, 0).decode("utf-8", "replace")
        return printable(told).strip() or "another session boots"

    def release_boot(self) -> None:
        """Give the right to boot back, after a boot that failed."""
        with suppress(OSError):
            os.ftruncate(self._boot, 0)
        self._claimed = False
        fcntl.flock(self._boot, fcntl.LOCK_UN)

    def hand_over(self) -> None:
        """In a child that goes on with the boot: let go of the session, which ends with its own process."""
        if self._attached is not None:
            os.close(self._attached)
            self._attached = None


def _living(sessions: str) -> list[tuple[str, Attached]]:
    try:
        names = sorted(os.listdir(sessions))[:_MOST_SESSIONS]
    except OSError:
        return []
    found: list[tuple[str, Attached]] = []
    for name in names:
        if name.startswith("."):
            continue
        path = f"{sessions}/{name}"
        if name.startswith(_STARTING):
            if os.path.exists(f"/proc/{name.removeprefix(_STARTING)}/stat"):
                found.append((name, Attached(_name(path), remote=True)))
            else:
                with suppress(OSError):
                    os.unlink(path)
            continue
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            # A shared lock: two who ask at the same time do not take each other for a person.
            if not try_lock(descriptor, fcntl.LOCK_SH):
                who = os.pread(descriptor, _LONGEST_NAME, 0).decode("utf-8", "replace")
                found.append((name, Attached(printable(who) or "somebody", name.startswith("remote-"))))
                continue
            with suppress(OSError):
                os.unlink(path)
        finally:
            os.close(descriptor)
    return found


def _name(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return printable(file.read(_LONGEST_NAME)) or "somebody"
    except OSError:
        return ""
