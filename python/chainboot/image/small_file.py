"""A small file that an option names: keys, settings. Read whole, and refused where it cannot be one."""

from __future__ import annotations

from pathlib import Path

from chainboot.errors import ChainbootError


def read_small(path: Path, limit: int, what: str) -> bytes:
    """The file, of at most `limit` bytes; `what` it should hold, as in "no file of keys". Raises `ChainbootError`."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ChainbootError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        size = "a MiB" if limit == 1 << 20 else f"{limit >> 10} KiB"
        raise ChainbootError(f"{path} is larger than {size}, and so no file of {what}")
    return data
