"""What a dying kernel left in the machine's own memory (pstore), and the line in it that says why.

The kernel shows it as files (Documentation/admin-guide/pstore.rst): dmesg-<backend>-<number> for each part of a crash,
console-ramoops-<number> for the console of the boot before. Knows these files; knows nothing of records and entries
but their ids.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from chainboot.text import printable
from chainboot.trial.transition import known_time

DIRECTORY = "/sys/fs/pstore"

# Files looked at, of which a crash has up to 15; bytes read of each, lines kept, characters of each.
_FILES = 64
_LARGEST = 256 << 10
_LINES = 80
_LONGEST = 300

# Seconds between the parts of one crash.
_ONE_CRASH = 10
# Seconds by which the clock of the system that died may be behind ours.
_CLOCK = 60

_PANIC = "Kernel panic - not syncing: "
# What the kernel says before it gives up: generic code, then x86 and arm64, then s390x.
_TROUBLE = (
    "BUG: ",
    "kernel BUG at ",
    "Oops: ",
    "Unable to handle kernel ",
    "Internal error: ",
    "general protection fault",
    "illegal operation: ",
    "addressing exception: ",
    "protection exception: ",
)
# Panics that only say that there was something of `_TROUBLE` before.
_FOLLOWS = ("Fatal exception", "Oops", "Aiee", "corrupted stack end")


@dataclass(frozen=True, slots=True)
class LastWords:
    """The end of a kernel's log. `source` names the files, `time` is in seconds since 1970, 0 where that is not known.

    `cause` is a sentence, "" where the log does not say that anything was wrong. `entry` is the id of the entry on
    the command line that this log shows, "" where it has none of ours, None where the log does not reach back to it.
    """

    source: str
    time: int
    cause: str
    lines: tuple[str, ...]
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    time: int
    kind: str
    number: int
    lines: tuple[str, ...]


def read(directory: str = DIRECTORY, *, since: int = 0) -> tuple[LastWords | None, tuple[str, ...]]:
    """The newest crash, or else the console of the boot before, and sentences about what could not be read.

    What is known to be older than `since` (seconds since 1970; 0: not known) is left out. Never raises.
    """
    parts, problems = _parts(directory)
    after = known_time(since)
    recent = [part for part in parts if not (after and part.time and part.time < after - _CLOCK)]
    crashes = [part for part in recent if part.kind]
    # A panic after an oops leaves both, and the panic's log holds the oops.
    newest = max(crashes, key=lambda part: (part.time, part.kind.startswith("Panic"), -part.number), default=None)
    if newest is not None:
        return _joined(newest, crashes), problems
    console = max((part for part in recent if not part.kind), key=lambda part: part.time, default=None)
    return (_words((console,)) if console is not None else None), problems


def clear(directory: str = DIRECTORY) -> None:
    """Remove the logs of dead kernels, so that the store has room for the next crash. What cannot be removed stays."""
    for name in _names(directory):
        with suppress(OSError):
            os.unlink(f"{directory}/{name}")


def cause(lines: Sequence[str]) -> str:
    """Why the kernel died, as a sentence, from the lines of its log; "" where they do not say."""
    trouble = ""
    for line in lines:
        _, found, reason = line.partition(_PANIC)
        if found:
            # The line of the oops says more than "Fatal exception".
            return f"it panicked: {trouble if trouble and reason.startswith(_FOLLOWS) else reason.strip()}"
        if not trouble and any(word in line for word in _TROUBLE):
            trouble = bare(line)
    return f"its kernel failed: {trouble}" if trouble else ""


def bare(line: str) -> str:
    """A line of the kernel's log without level, time and caller in front: `<0>[   23.4][    T1] text`."""
    if line[:1] == "<" and line[2:3] == ">":
        line = line[3:]
    while line.startswith("[") and "]" in line:
        line = line.partition("]")[2].lstrip()
    return line.strip()


def entry_of(cmdline: str) -> str:
    """The id of the entry that a kernel command line carries, "" where it has none."""
    words = [word for word in cmdline.split() if word.startswith("chainboot.entry=")]
    return words[-1].partition("=")[2] if words else ""


def _names(directory: str) -> tuple[str, ...]:
    """The files of a kernel's log, the newest first."""
    found: list[tuple[float, str]] = []
    with suppress(OSError):
        for name in os.listdir(directory):
            if name.startswith(("dmesg-", "console-ramoops")):
                with suppress(OSError):
                    found.append((os.lstat(f"{directory}/{name}").st_mtime, name))
    return tuple(name for _, name in sorted(found, reverse=True))


def _parts(directory: str) -> tuple[list[_Part], tuple[str, ...]]:
    parts: list[_Part] = []
    problems: list[str] = []
    for name in _names(directory)[:_FILES]:
        if name.endswith(".enc.z"):
            problems.append(f"{printable(name)} is compressed, and the kernel could not unpack it")
            continue
        try:
            descriptor = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                status = os.fstat(descriptor)
                data = b""
                while stat.S_ISREG(status.st_mode) and len(data) < _LARGEST:
                    chunk = os.read(descriptor, _LARGEST - len(data))
                    if not chunk:
                        break
                    data += chunk
            finally:
                os.close(descriptor)
        except OSError as error:
            problems.append(f"{printable(name)} cannot be read: {error.strerror}")
            continue
        part = _part(name, int(status.st_mtime), data)
        if part is not None:
            parts.append(part)
    return parts, tuple(problems)


def _part(name: str, seconds: int, data: bytes) -> _Part | None:
    """A file of pstore; None where it is no crash (kernels may also keep an orderly shutdown)."""
    lines = data.decode("utf-8", "replace").split("\n")
    kind, number = "", 0
    if name.startswith("dmesg-"):
        # fs/pstore/platform.c, pstore_dump: "Panic#1 Part2", of which part 1 is the end.
        words = lines[0].split()
        kind = words[0] if words else ""
        if not kind.startswith(("Panic", "Oops", "Emergency")):
            return None
        digits = words[1].removeprefix("Part") if len(words) > 1 else ""
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0
        lines = lines[1:]
    kept = tuple(printable(line[:_LONGEST]) for line in lines if line.strip())
    return _Part(printable(name), known_time(seconds), kind, number, kept)


def _joined(newest: _Part, crashes: Sequence[_Part]) -> LastWords:
    """The crash that `newest` belongs to, its parts in the order in which the lines were written."""
    numbered: dict[int, _Part] = {}
    for part in crashes:
        if part.kind == newest.kind and abs(part.time - newest.time) <= _ONE_CRASH:
            held = numbered.setdefault(part.number, part)
            if part.time > held.time:
                numbered[part.number] = part
    return _words([numbered[number] for number in sorted(numbered, reverse=True)])


def _words(parts: Sequence[_Part]) -> LastWords:
    lines = [line for part in parts for line in part.lines]
    # "Command line:" of the architecture and "Kernel command line:" of init/main.c.
    shown = next((line for line in lines if "ommand line: " in line), None)
    entry = None if shown is None else entry_of(shown.partition("ommand line: ")[2])
    sources = ", ".join(sorted(part.name for part in parts))
    return LastWords(sources, max(part.time for part in parts), cause(lines), _telling(lines), entry)


def _telling(lines: Sequence[str]) -> tuple[str, ...]:
    """The last lines; where the first sign of trouble is further up, those from it on."""
    first = next(
        (at for at, line in enumerate(lines) if _PANIC in line or any(each in line for each in _TROUBLE)), None
    )
    start = len(lines) - _LINES
    if first is not None:
        start = min(start, first - 10)
    start = max(start, 0)
    return tuple(lines[start : start + _LINES])
