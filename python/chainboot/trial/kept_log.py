"""The first stage's own log on the volume of the configuration: what was done before the last jumps.

Bounded: 64 KiB, and the 64 KiB before. Only costs itself: a full volume is a sentence and no error.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainboot.boot.volume import PathError, Volume
from chainboot.boot.writing import SYSTEM, System
from chainboot.errors import reason
from chainboot.text import printable
from chainboot.trial.own_files import OwnDirectory

# In the directory of `boot.writable.own_directory`.
FILE = "log"

_LARGEST = 64 << 10
# Characters of a line.
_LONGEST = 1000


def append(root: str, directory: str, lines: Sequence[str], system: System = SYSTEM) -> str | None:
    """Add `lines` to the log in `directory` of the writable volume at `root`. Returns a sentence where that fails.

    Of more lines than a file holds, the last ones are kept.
    """
    if not lines:
        return None
    data = b""
    for line in reversed(lines):
        text = printable(line[:_LONGEST]).encode("utf-8", "replace") + b"\n"
        # One byte stays for the end of a torn line.
        if len(text) + len(data) >= _LARGEST:
            break
        data = text + data
    try:
        with OwnDirectory(root, directory, system) as own:
            size = own.size(FILE)
            if size and size + len(data) >= _LARGEST:
                own.rotate(FILE)
            own.add(FILE, data)
    except (PathError, OSError) as error:
        return f"the log was not kept on the disk: {reason(error)}"
    return None


def tail(volume: Volume, directory: str, count: int) -> tuple[str, ...]:
    """The last `count` lines of the log in `directory` of a volume, oldest first; none where there is no log."""
    lines: list[str] = []
    for name in (f"{FILE}.1", FILE):
        try:
            data = volume.read(f"{directory}/{name}", _LARGEST)
        except PathError:
            continue
        lines += [printable(line[:_LONGEST]) for line in data.decode("utf-8", "replace").split("\n") if line.strip()]
    return tuple(lines[-count:]) if count > 0 else ()
