"""Who is at the machine, and who may boot it: locks that the kernel keeps.

There is no daemon and no state to go stale: a session that dies, however it dies, frees its locks (flock(2)).
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

RUNTIME = "/run/chainboot"

_ATTEMPTS = 5
_ATTEMPT_S = 0.005


class Presence:
    """One session's hold on the two locks below `runtime`: `attached`, shared, and `boot`, exclusive."""

    def __init__(self, runtime: str = RUNTIME) -> None:
        os.makedirs(runtime, mode=0o700, exist_ok=True)
        self._attached = self._open(f"{runtime}/attached")
        self._boot = self._open(f"{runtime}/boot")
        self._is_attached = False

    @staticmethod
    def _open(path: str) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def attach(self) -> None:
        """Say that a person is here: no other session boots by itself meanwhile."""
        if not self._is_attached:
            fcntl.flock(self._attached, fcntl.LOCK_SH)
            self._is_attached = True

    def detach(self) -> None:
        """Say that the person has left."""
        fcntl.flock(self._attached, fcntl.LOCK_UN)
        self._is_attached = False

    def others_attached(self) -> bool:
        """Whether a person is at another session."""
        if self._is_attached:  # our own shared lock would turn into an exclusive one; the timer is ours to stop
            return False
        # Another session that asks holds the lock for a moment, which must not pass for a person.
        for _ in range(_ATTEMPTS):
            if _try_exclusive(self._attached):
                fcntl.flock(self._attached, fcntl.LOCK_UN)
                return False
            time.sleep(_ATTEMPT_S)
        return True

    def claim_boot(self, who: str) -> str | None:
        """Take the right to boot and return None; or return what the session that has it is doing."""
        if not _try_exclusive(self._boot):
            return os.pread(self._boot, 200, 0).decode("utf-8", "replace").strip() or "another session"
        os.ftruncate(self._boot, 0)
        os.pwrite(self._boot, who.encode("utf-8", "replace")[:200], 0)
        return None

    def release_boot(self) -> None:
        """Give the right to boot back, after a boot that failed."""
        os.ftruncate(self._boot, 0)
        fcntl.flock(self._boot, fcntl.LOCK_UN)

    def close(self) -> None:
        """Free everything."""
        os.close(self._attached)
        os.close(self._boot)


def _try_exclusive(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True
