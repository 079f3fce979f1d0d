"""The form of the record on a disk: two slots, of which one is always whole. Pure.

A slot is text that a person can `cat`. Its first line is `chainboot-trials VERSION SEQUENCE CRC32 LENGTH`; LENGTH bytes
of lines follow, their fields separated by tabs; line feeds fill the rest. The CRC is over version, sequence and lines.
The slot with the higher sequence counts, and the next write goes to the other one: whatever a power cut leaves of it,
the one that counted is not touched. First line and CRC are the same in every version, so that a newer record is told
from a damaged one.

Knows bytes; knows nothing of files. Whoever can write to the disk can write here: what is read is bounded and cleaned.
"""

from __future__ import annotations

from binascii import crc32
from dataclasses import dataclass, replace

from chainboot.text import printable
from chainboot.trial.entry_id import is_entry_id
from chainboot.trial.record import EntryRecord, Record, Request
from chainboot.trial.transition import known_time

# Bytes. 16 KiB hold more than 100 entries with a reason of 80 characters each, and 300 without one.
SLOT = 16384
SIZE = 2 * SLOT

VERSION = 1
_MAGIC = "chainboot-trials"
# Bytes of the first line at most, with its line feed; the longest that is written has 53.
_HEADER = 64
# One more than the highest that there can be. Nobody gets there by writing, once each millisecond for 30000 years.
SEQUENCE_END = 10**15

# Characters of a reason and of a name; tries, and whatever else is counted.
_LONGEST_WHY = 160
_LONGEST_WHO = 60
_MOST_TRIES = 99
_MOST = 10**9


@dataclass(frozen=True, slots=True)
class Decoded:
    """What two slots say.

    `record` is that of slot `current`; without a whole slot both are None. `problems` are sentences. With
    `unknown_version` a newer chainboot wrote a slot: nothing of it is understood, and nothing may be written over it.
    """

    record: Record | None
    current: int | None
    problems: tuple[str, ...] = ()
    unknown_version: bool = False


def encode(record: Record) -> bytes:
    """One slot of `SLOT` bytes with the record as `tidy` leaves it. A sequence out of range raises `ValueError`."""
    if not 0 <= record.sequence < SEQUENCE_END:
        raise ValueError(f"sequence {record.sequence} is out of range")
    body = b"".join(_lines(tidy(record)))
    header = f"{_MAGIC} {VERSION} {record.sequence} {_crc(VERSION, record.sequence, body):08x} {len(body)}\n"
    return (header.encode() + body).ljust(SLOT, b"\n")


def decode(data: bytes) -> Decoded:
    """What the bytes of a file of two slots say. Total: any bytes, of any number, give an answer."""
    problems: list[str] = []
    if len(data) != SIZE:
        wrong = f"is longer than {SIZE} bytes" if len(data) > SIZE else f"has {len(data)} bytes instead of {SIZE}"
        problems.append(f"the record of trials {wrong}")
    found: list[Record | None] = []
    unknown = False
    for number in (0, 1):
        version, record = _slot(data[number * SLOT : (number + 1) * SLOT])
        if version is None:
            problems.append(f"slot {number + 1} of the record of trials is damaged")
        elif version != VERSION:
            unknown = True
            problems.append(f"the record of trials has version {version}, and this chainboot knows {VERSION}")
        found.append(record)
    if unknown:
        return Decoded(None, None, tuple(dict.fromkeys(problems)), unknown_version=True)
    sequences = [-1 if record is None else record.sequence for record in found]
    current = 1 if sequences[1] > sequences[0] else 0
    if found[current] is None:
        return Decoded(None, None, tuple(problems))
    return Decoded(found[current], current, tuple(problems))


def target(decoded: Decoded) -> int:
    """The slot that the next record is written to: never the one that counts."""
    return 0 if decoded.current is None else 1 - decoded.current


def tidy(record: Record) -> Record:
    """The record as a slot keeps it: cleaned text, numbers in range, each entry once, and no more than fits.

    Dropped are the entries that changed longest ago, but never the one that was started last, the requested one and
    the last one that was good.
    """
    entries: dict[str, EntryRecord] = {}
    for entry in record.entries:
        if is_entry_id(entry.digest):
            entries.setdefault(entry.digest, _tidy_entry(entry))
    started = record.started if is_entry_id(record.started) else ""
    request = record.request
    if request is not None:
        request = _tidy_request(request)
    record = Record(record.sequence, tuple(entries.values()), started, bool(started) and record.expired, request)
    good = next((entry.digest for entry in record.entries if entry.good), "")
    needed = {started, request.digest if request is not None else "", good}
    room = SLOT - _HEADER - sum(len(line) for line in _lines(replace(record, entries=())))
    room -= sum(len(_line(entry)) for entry in record.entries if entry.digest in needed)
    kept: list[EntryRecord] = []
    for entry in record.entries:
        if entry.digest not in needed:
            room -= len(_line(entry))
            if room < 0:
                continue
        kept.append(entry)
    return replace(record, entries=tuple(kept))


def _tidy_entry(entry: EntryRecord) -> EntryRecord:
    return EntryRecord(
        entry.digest,
        good=entry.good,
        tries_left=_within(entry.tries_left, _MOST_TRIES),
        tries_done=_within(entry.tries_done, _MOST),
        boots=_within(entry.boots, _MOST),
        since=known_time(entry.since),
        why=_clean(entry.why, _LONGEST_WHY),
    )


def _tidy_request(request: Request) -> Request | None:
    if not is_entry_id(request.digest):
        return None
    if request.instead_of and not is_entry_id(request.instead_of):
        return None
    return replace(request, who=_clean(request.who, _LONGEST_WHO), when=known_time(request.when))


def _within(number: int, most: int) -> int:
    return max(0, min(number, most))


def _clean(text: str, longest: int) -> str:
    return printable(text[:longest])


def _crc(version: int, sequence: int, body: bytes) -> int:
    return crc32(b"%d %d " % (version, sequence) + body)


def _lines(record: Record) -> list[bytes]:
    lines = [_line(entry) for entry in record.entries]
    if record.started:
        lines.append(_join("started", record.started, "expired" if record.expired else "open"))
    if (asked := record.request) is not None:
        how = "once" if asked.once else "stays"
        lines.append(_join("request", asked.digest, how, asked.instead_of or "-", str(asked.when), asked.who))
    return lines


def _line(entry: EntryRecord) -> bytes:
    state = "good" if entry.good else "bad" if entry.bad else "trial"
    numbers = (entry.tries_left, entry.tries_done, entry.boots, entry.since)
    return _join("entry", entry.digest, state, *(str(number) for number in numbers), entry.why)


def _join(*fields: str) -> bytes:
    return ("\t".join(fields) + "\n").encode()


def _slot(data: bytes) -> tuple[int | None, Record | None]:
    """The version of a slot, None where it is damaged; and its record, None where it is of another version."""
    line, end, rest = data[:_HEADER].partition(b"\n")
    fields = line.split(b" ")
    if not end or len(fields) != 5 or fields[0] != _MAGIC.encode():
        return None, None
    version, sequence, length = (_number(fields[at]) for at in (1, 2, 4))
    rest = data[len(line) + 1 :]
    if version is None or sequence is None or sequence >= SEQUENCE_END or length is None:
        return None, None
    body = rest[:length]
    if fields[3] != b"%08x" % _crc(version, sequence, body):
        return None, None
    return version, _record(sequence, body) if version == VERSION else None


def _record(sequence: int, body: bytes) -> Record:
    """What the lines say; a line that says nothing is passed over."""
    entries: list[EntryRecord] = []
    started, expired, request = "", False, None
    for line in body.decode("utf-8", "replace").split("\n"):
        match line.split("\t"):
            case ["entry", digest, state, left, done, boots, since, why]:
                counts = _numbers(left, done, boots, since)
                if counts is not None:
                    entries.append(EntryRecord(digest, state == "good", *counts, why))
            case ["started", digest, state]:
                started, expired = digest, state == "expired"
            case ["request", digest, "once" | "stays" as how, instead_of, when, who]:
                other = "" if instead_of == "-" else instead_of
                request = Request(digest, how == "once", other, who, _number(when.encode()) or 0)
            case _:
                pass
    return tidy(Record(sequence, tuple(entries), started, expired, request))


def _numbers(*fields: str) -> tuple[int, int, int, int] | None:
    found = [number for each in fields if (number := _number(each.encode())) is not None]
    return (found[0], found[1], found[2], found[3]) if len(found) == 4 else None


def _number(text: bytes) -> int | None:
    """A number of at most 18 decimal digits, written the one way in which `encode` writes it."""
    return int(text) if text.isdigit() and len(text) <= 18 and (text[:1] != b"0" or len(text) == 1) else None
