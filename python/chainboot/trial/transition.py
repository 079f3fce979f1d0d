"""What a start, a blessing, a deadline and a wish make of the record. Pure: each gives a new one.

Knows the record; knows nothing of where it is kept, and leaves its sequence to `store`. `now` is always in seconds
since 1970.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from chainboot.errors import RefusedError
from chainboot.trial.record import EntryRecord, Record, Request

# What is said of an entry that was started, and of which nothing else is known.
UNPROVED = "it was started and never proved itself"

# The clock of a machine without a battery starts in 1970, or when its firmware was built. 2000-01-01 and 10000-01-01.
_EARLIEST = 946684800
_LATEST = 253402300800


def known_time(now: int) -> int:
    """`now`, or 0 (not known) where the clock cannot be right: before 2000, or a year of more than four digits."""
    return now if _EARLIEST <= now < _LATEST else 0


def start(record: Record, digest: str, tries: int, now: int) -> Record:
    """The record as it must be before the entry is started: one of its `tries` is spent, unless it is good.

    What was started before and has not proved itself is settled. A request for one boot of this entry is fulfilled.
    With less than one of `tries` trials are off, and only the request is.
    """
    request = record.request
    if request is not None and request.once and request.digest == digest:
        record = replace(record, request=None)
    if tries < 1:
        return record
    record = settle(record, UNPROVED, now)
    entry = record.find(digest) or EntryRecord(digest, tries_left=tries)
    if entry.good:
        return record
    left = max(tries_left(entry, tries) - 1, 0)
    spent = replace(entry, tries_left=left, tries_done=entry.tries_done + 1, since=known_time(now))
    return replace(_with(record, spent), started=digest, expired=False)


def tries_left(entry: EntryRecord, tries: int) -> int:
    """The tries that are left to an entry that is not good, where new ones have `tries`.

    One that has fresh tries has as many as a new one: whoever gave them need not have known the first stage's setting.
    """
    return max(tries, 1) if entry.tries_left and not entry.tries_done else entry.tries_left


def settle(record: Record, why: str, now: int) -> Record:
    """The record once it is clear that what was started last has not proved itself; `why` is a sentence, "" for none.

    What its own system said before it gave up counts more. Nothing changes where nothing is open.
    """
    if not record.started:
        return record
    entry = record.find(record.started)
    if entry is not None and not entry.good:
        told = (entry.why if record.expired else "") or why or UNPROVED
        record = _with(record, replace(entry, why=told, since=entry.since or known_time(now)))
    return replace(record, started="", expired=False)


def take_back(record: Record, digest: str) -> Record:
    """The record once the machine has not left after all: the try that `start` has spent was none."""
    entry = record.find(digest)
    if record.started != digest or entry is None or entry.good:
        return record
    given = replace(entry, tries_left=entry.tries_left + 1, tries_done=max(entry.tries_done - 1, 0))
    return replace(_with(record, given), started="", expired=False)


def bless(record: Record, digest: str, now: int) -> Record:
    """The record once the entry has proved itself: it is good from now on, and has booted once more.

    Raises `RefusedError` where its system has been given up already: the machine is about to go back to another.
    """
    if record.expired and record.started == digest:
        raise RefusedError(
            "too late: the time to prove that this system works is over",
            hint="the machine goes back to its last good entry; `chainboot next ENTRY` gives this one new tries",
        )
    entry = record.find(digest) or EntryRecord(digest)
    since = entry.since if entry.good else known_time(now)
    record = _with(record, EntryRecord(digest, good=True, boots=entry.boots + 1, since=since))
    return replace(record, started="", expired=False) if record.started == digest else record


def expire(record: Record, digest: str, why: str, now: int) -> Record:
    """The record once the entry's own system has given up; `why` is a sentence. A good entry stays good.

    Where the first stage could not record the try, it is spent here; an entry that is not in the record at all has
    had its only one.
    """
    entry = record.find(digest) or EntryRecord(digest)
    if entry.good or (record.expired and record.started == digest):
        return record
    if record.started != digest:
        entry = replace(entry, tries_left=max(entry.tries_left - 1, 0), tries_done=entry.tries_done + 1)
    record = _with(record, replace(entry, why=why, since=known_time(now)))
    return replace(record, started=digest, expired=True)


def ask(record: Record, request: Request, tries: int) -> Record:
    """The record with `request` in the place of any other. One that stays gives a bad entry fresh `tries`."""
    record = replace(record, request=replace(request, when=known_time(request.when)))
    return record if request.once else forgive(record, request.digest, tries)


def clear_request(record: Record) -> Record:
    """The record without a request: the configuration decides again."""
    return record if record.request is None else replace(record, request=None)


def forgive(record: Record, digest: str, tries: int) -> Record:
    """The record with fresh `tries` for an entry that is bad; any other stays as it is.

    The number is for who reads the record: what counts is the setting of the first stage (see `tries_left`).
    """
    entry = record.find(digest)
    if entry is None or not entry.bad:
        return record
    return _with(record, replace(entry, tries_left=max(tries, 1), tries_done=0, since=0, why=""))


def keep_only(record: Record, digests: Collection[str]) -> Record:
    """The record without the entries that are not in `digests`: those of all configurations that share this record.

    What was started last stays until it is settled, and a request until somebody has been told where it went.
    """
    kept = tuple(entry for entry in record.entries if entry.digest in digests or entry.digest == record.started)
    return record if len(kept) == len(record.entries) else replace(record, entries=kept)


def _with(record: Record, entry: EntryRecord) -> Record:
    """The record with this entry in front: it changed last."""
    others = (other for other in record.entries if other.digest != entry.digest)
    return replace(record, entries=(entry, *others))
