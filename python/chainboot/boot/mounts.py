"""What is mounted where, as the kernel says it. Knows nothing of what a mount is for, and mounts nothing."""

from __future__ import annotations

from dataclasses import dataclass

MOUNTINFO = "/proc/self/mountinfo"

# fs/proc_namespace.c: blanks, tabs, line feeds and backslashes stand there as octal numbers; in a source `#` as well.
_OCTAL = {"040": " ", "011": "\t", "012": "\n", "134": "\\", "043": "#"}


@dataclass(frozen=True, slots=True)
class Mounted:
    """One mount: where, the device number of the file system ("94:1"), its type, and what it was mounted from."""

    path: str
    number: str
    kind: str = ""
    source: str = ""


def read_mounts(path: str = MOUNTINFO) -> tuple[Mounted, ...]:
    """Every mount, in the kernel's order: of two at one place the later one is on top. Raises OSError.

    Source: proc_pid_mountinfo(5). Names are as the kernel has them, bytes that are no UTF-8 as surrogates.
    """
    # A carriage return in a name does not end a line.
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        return tuple(mounted for line in file if (mounted := _mounted(line.removesuffix("\n"))) is not None)


def _mounted(line: str) -> Mounted | None:
    """What a line says; None where it is none of the kernel's."""
    # id, parent, device, root, place, options, any number of tags, -, type, source, options.
    head, _, tail = line.partition(" - ")
    before, after = head.split(" "), tail.split(" ")
    if len(before) < 6 or len(after) < 2:
        return None
    return Mounted(_decoded(before[4]), before[2], after[0], _decoded(after[1]))


def _decoded(text: str) -> str:
    first, *rest = text.split("\\")
    return first + "".join(f"{_OCTAL[part[:3]]}{part[3:]}" if part[:3] in _OCTAL else f"\\{part}" for part in rest)
