"""The name of a new file, down to the disk: fsync(2) of the directory that it stands in."""

from __future__ import annotations

import errno
from collections.abc import Callable


def sync_directory(sync: Callable[[int], None], directory: int) -> None:
    """`sync` the open `directory`. Some file systems do not support it for directories (fsync(2), EINVAL): no error.

    Raises any other `OSError`.
    """
    try:
        sync(directory)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
