"""Locks that the kernel keeps on files (flock(2)), and frees when their process dies."""

from __future__ import annotations

import fcntl


def try_lock(descriptor: int, kind: int) -> bool:
    """Take a lock of `kind` (`fcntl.LOCK_SH`, `LOCK_EX`) if it is to be had at once. Raises OSError otherwise."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # EWOULDBLOCK, and EACCES of some network file systems
        return False
    return True
