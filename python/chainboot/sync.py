"""Names, down to the disk: what fsync(2) of a file alone does not do, and what fsync(2) of a directory does not either.

`make cuts` is where each of these was found to be needed.
"""

from __future__ import annotations

import errno
import fcntl
from collections.abc import Callable

# Linux, fs/ext4/ext4.h: EXT4_IOC_CHECKPOINT, _IOW('f', 43, __u32), since Linux 5.14.
_EXT4_CHECKPOINT = 0x4004662B

# Another file system, an ext4 without a journal, or an older kernel; and a user that is not root.
_NO_CHECKPOINT = (errno.ENOTTY, errno.EOPNOTSUPP, errno.ENODEV, errno.EINVAL, errno.ENOSYS, errno.EPERM)


def sync_directory(sync: Callable[[int], None], directory: int) -> None:
    """`sync` the open `directory`. Some file systems do not support it for directories (fsync(2), EINVAL): no error.

    Raises any other `OSError`.
    """
    try:
        sync(directory)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def sync_renamed(sync: Callable[[int], None], directory: int, file: int) -> None:
    """`sync` the open `file`, which has been renamed within the open `directory`, under its new name.

    In this order. On FAT the old name is gone with the first, and only the second gives the new name its clusters: the
    other way round both have them for a moment, and a check of the file system then empties one. Raises `OSError`.
    """
    sync_directory(sync, directory)
    sync(file)


def checkpoint(descriptor: int) -> None:
    """Have an ext4 write what its journal holds to where it belongs; `descriptor` is anything open on it.

    A boot loader that does not replay journals, as ours before it writes, sees only that. Raises `OSError`, but not
    where there is nothing of the kind to do.
    """
    try:
        fcntl.ioctl(descriptor, _EXT4_CHECKPOINT, bytes(4))
    except OSError as error:
        if error.errno not in _NO_CHECKPOINT:
            raise
