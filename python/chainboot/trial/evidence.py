"""Why an entry failed: what its kernel, its own system and its journal say, and the files on the volume that keep it.

Knows where to ask and whom to believe first. Nothing here raises: what cannot be found out or kept is a sentence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chainboot.boot.volume import PathError, Volume
from chainboot.boot.writing import SYSTEM, System
from chainboot.errors import reason
from chainboot.text import clip, printable
from chainboot.trial import pstore as last_words
from chainboot.trial import watchdog
from chainboot.trial.entry_id import is_entry_id
from chainboot.trial.journal import Journal, Message, last_error
from chainboot.trial.journals import JournalFile, newest
from chainboot.trial.own_files import OwnDirectory
from chainboot.trial.pstore import LastWords
from chainboot.trial.transition import known_time

# Below the directory of `boot.writable.own_directory`.
FAILED = "failed"

NO_WORD = "no word of it: it hung, lost power or was reset"

# Characters of a reason; messages of a journal; bytes of a file; files.
_LONGEST = 120
_MESSAGES = 60
_LARGEST = 64 << 10
_FILES = 8

# Said of a panic whose log does not say what was booted.
_MAYBE = " (maybe the first stage's own)"
_MAYBE_OLD = " (maybe of another boot)"

_PSTORE_HEADING = "the kernel's log, kept across the reset: "


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why the entry with this digest failed: a sentence of at most 120 characters, and the lines it comes from."""

    digest: str
    why: str
    lines: tuple[str, ...] = ()


def gather(
    digest: str,
    why: str,
    volumes: Sequence[Volume],
    since: int,
    *,
    pstore: str = last_words.DIRECTORY,
    fired: Callable[[], str] = watchdog.fired,
) -> Evidence:
    """What can be found out of the boot of `digest` that was started at `since` (seconds since 1970; 0: not known).

    `why` is what its own system wrote down before it gave up, "" for nothing. A panic counts more, and less does what
    `fired` says (that a watchdog has reset the machine, or ""), and then the journal.
    """
    panic, problems = last_words.read(pstore, since=since)
    found = panic
    if panic is None:
        found, _ = last_words.read(pstore)  # older: it explains nothing, and is kept so that it can be cleared
    elif panic.entry not in (None, digest):
        panic = None
    file = newest(volumes)
    journal = _journal(file, digest, since)
    # Written to after the try was spent, and nothing else has run since. Without the times it may be of another boot.
    sure = file is not None and bool(file.time and known_time(since))
    lines = [printable(f"pstore: {problem}") for problem in problems]
    if found is not None:
        whose = "" if panic is not None else ", of another boot"
        lines += (f"{_PSTORE_HEADING}{found.source}{_at(found.time)}{whose}", *found.lines, "")
    if file is not None and journal is not None:
        lines += _shown(file, journal, sure=sure)
    reasons = (
        _panic_says(panic, since) if panic is not None else "",
        why,
        fired(),
        _journal_says(journal.messages) if journal is not None and sure else "",
        _console_says(panic),
        NO_WORD,
    )
    reason = next(each for each in reasons if each)
    return Evidence(digest, clip(printable(reason), _LONGEST), tuple(lines))


def keep(
    root: str, directory: str, evidence: Evidence, *, system: System = SYSTEM, pstore: str = last_words.DIRECTORY
) -> str | None:
    """Put `evidence` into `failed/<digest>.txt` in `directory` of the writable volume at `root`; what was there goes.

    At most 64 KiB, and of 8 files the oldest goes. Then the crash that it tells of is removed from pstore, so that
    there is room for the next one. Returns a sentence where it was not kept.
    """
    stamp = f"{evidence.digest}: {evidence.why}{_at(int(time.time()))}"
    data = _fitting((stamp, "", *evidence.lines), _LARGEST)
    name = f"{evidence.digest}.txt"
    try:
        with OwnDirectory(root, f"{directory}/{FAILED}", system) as own:
            own.replace(name, data)
            own.keep_newest(_FILES, ".txt", but=name)
    except (PathError, OSError) as error:
        return f"what is known of the failed entry was not kept: {reason(error)}"
    if any(line.startswith(_PSTORE_HEADING) for line in evidence.lines):
        last_words.clear(pstore)
    return None


def recall(volume: Volume, directory: str, digest: str) -> tuple[str, ...]:
    """The lines that `keep` has put into `directory` of a volume for this entry; none where it is not known."""
    if not is_entry_id(digest):
        return ()
    try:
        data = volume.read(f"{directory}/{FAILED}/{digest}.txt", _LARGEST)
    except PathError:
        return ()
    return tuple(printable(line) for line in data.decode("utf-8", "replace").splitlines())


def _journal(file: JournalFile | None, digest: str, since: int) -> Journal | None:
    """The newest journal, unless it is known to be of another boot."""
    if file is None or (file.time and file.time < known_time(since)):
        return None
    journal = file.tail(_MESSAGES)
    return journal if journal.messages and journal.entry in (None, digest) else None


def _shown(file: JournalFile, journal: Journal, *, sure: bool) -> list[str]:
    of = "that boot" if sure else "an unknown boot, which may be another one"
    lines = [f"the journal of {of}: {file.name}{_at(file.time)}"]
    lines += [f"({problem})" for problem in journal.problems]
    return [*lines, *(f"{_clock(each.time)} {each.identifier}: {each.text}".strip() for each in journal.messages), ""]


def _journal_says(messages: Sequence[Message]) -> str:
    if not messages:
        return ""
    error = last_error(messages)
    # What systemd-journald says last when the system goes down in good order.
    if any(each.identifier == "systemd-journald" and each.text == "Journal stopped" for each in messages[-5:]):
        return "it was shut down before it was blessed"
    last = error or messages[-1]
    what = "its last error" if error else "its journal ends with"
    return f"it was not blessed; {what}: {last.identifier}: {last.text}"


def _panic_says(panic: LastWords, since: int) -> str:
    """Why the kernel of the entry died. A log that does not reach back to its command line may be of the first stage,
    before the jump or after the reset, and counts only where it is known to be newer than the try."""
    if panic.entry is not None or not panic.cause:
        return panic.cause
    if not known_time(since) or panic.time < since:
        return ""
    return f"{clip(panic.cause, _LONGEST - len(_MAYBE))}{_MAYBE}"


def _console_says(panic: LastWords | None) -> str:
    if panic is None or not panic.lines:
        return ""
    if panic.cause:  # not known to be newer than the try
        return f"{clip(panic.cause, _LONGEST - len(_MAYBE_OLD))}{_MAYBE_OLD}"
    return f"it was not blessed; its kernel's log ends with: {last_words.bare(panic.lines[-1])}"


def _at(seconds: int) -> str:
    return f" ({_clock(seconds)} UTC)" if known_time(seconds) else ""


def _clock(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)) if known_time(seconds) else ""


def _fitting(lines: Sequence[str], most: int) -> bytes:
    """The lines as a file of at most `most` bytes; what is too much is missing in the end."""
    data = "".join(f"{printable(line)}\n" for line in lines).encode("utf-8", "replace")
    if len(data) <= most:
        return data
    return data[: data.rfind(b"\n", 0, most) + 1]
