"""The end of a systemd journal file: the last messages of the boot that wrote to it last. Pure: it is handed a reader.

The format is https://systemd.io/JOURNAL_FILE_FORMAT, the compact form too. A message that is compressed (systemd does
it from 512 bytes on) is not unpacked. The file comes from a system that died while it wrote, and from whoever could
write to that disk: every offset may be wrong, so what is read is counted and walks go in one direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chainboot.errors import ChainbootError
from chainboot.text import printable
from chainboot.trial.pstore import entry_of
from chainboot.trial.transition import known_time

# Of the header, as far as it is needed here.
HEADER = 208
_SIGNATURE = b"LPKSHHRH"

# Incompatible flags.
_COMPACT = 1 << 4
# Compressed by XZ, LZ4 or ZSTD, keyed hashes, compact.
_KNOWN = 0b11111
# Flags of a data object that is compressed.
_COMPRESSED = 0b111

_DATA, _ENTRY, _ENTRY_ARRAY = 1, 3, 6

COMPRESSED = "(compressed)"

# Bytes read of a file, and in one go; objects of one entry; entry arrays (each is twice as long as the one before);
# entries from a boot's first on, in which the kernel's command line is looked for; damaged entries before it is given
# up; characters of a text.
_BUDGET = 16 << 20
_BLOCK = 16 << 10
_ITEMS = 128
_ARRAYS = 64
_FIRST = 100
_DAMAGED = 200
_LONGEST = 500

_UNKNOWN = b""
_FIELDS = (b"MESSAGE", b"SYSLOG_IDENTIFIER", b"_COMM", b"PRIORITY", b"_TRANSPORT")

Reader = Callable[[int, int], bytes]
"""`reader(offset, length)`: bytes of the file; fewer where it ends. May raise `ChainbootError` or `OSError`."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message. `time` is in seconds since 1970, 0 where it cannot be right; `priority` as syslog's, 0 to 7."""

    time: int
    identifier: str
    priority: int
    text: str


@dataclass(frozen=True, slots=True)
class Journal:
    """The end of a file. `boot` is the id of the boot, `entry` that of the entry on its kernel's command line.

    `entry` is "" where that has none of ours, None where the command line was not found. `problems` are sentences.
    """

    messages: tuple[Message, ...] = ()
    boot: str = ""
    entry: str | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    time: int
    boot: bytes
    items: tuple[int, ...]


class _DamageError(Exception):
    """The file is not what it should be, or more of it would have to be read than is good."""


def tail_time(header: bytes) -> int:
    """When the last entry of a file was written, in seconds since 1970, from its first `HEADER` bytes.

    0 where that is not known, and -1 where it is no journal.
    """
    if len(header) < HEADER or header[:8] != _SIGNATURE:
        return -1
    return known_time(_number(header, 192) // 1_000_000)


def read_tail(reader: Reader, count: int) -> Journal:
    """The last `count` messages of the last boot in a file. Never raises."""
    try:
        return _File(reader).tail(count)
    except _DamageError as error:
        return Journal(problems=(str(error),))


class _File:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._blocks: dict[int, bytes] = {}
        self._known: dict[int, tuple[bytes, str] | None] = {}
        header = self._bytes(0, HEADER)
        if header[:8] != _SIGNATURE:
            raise _DamageError("it is no journal")
        flags = int.from_bytes(header[12:16], "little")
        if flags & ~_KNOWN:
            raise _DamageError(f"it is of a newer systemd (incompatible flags {flags:#x})")
        self._compact = bool(flags & _COMPACT)
        self._width = 4 if self._compact else 8
        self._arrays = self._find_arrays(_number(header, 176))

    def tail(self, count: int) -> Journal:
        messages: list[Message] = []
        problems: list[str] = []
        boot, newest, damaged = b"", 0, 0
        try:
            for index, offset in self._backwards():
                try:
                    entry = self._entry(offset)
                except _DamageError as error:
                    # What was not on the disk when the machine died.
                    damaged += 1
                    problems = [f"damaged entries: {damaged}, the last one: {error}"]
                    if damaged >= _DAMAGED:
                        break
                    continue
                if not boot:
                    boot, newest = entry.boot, index
                if entry.boot != boot or len(messages) >= count:
                    break
                messages.append(self._message(entry))
        except _DamageError as error:
            problems = [str(error)]
        entry_id: str | None = None
        if boot:
            try:
                entry_id = self._entry_id(boot, newest)
            except _DamageError:
                entry_id = None
        return Journal(tuple(reversed(messages)), boot.hex(), entry_id, tuple(problems))

    def _find_arrays(self, offset: int) -> list[tuple[int, int]]:
        """Offset of the first item and number of items of each entry array."""
        arrays: list[tuple[int, int]] = []
        while offset and len(arrays) < _ARRAYS:
            try:
                size = self._object(offset, _ENTRY_ARRAY, 24)
            except _DamageError:
                # What was linked last may not be on the disk; the arrays before it are.
                if arrays:
                    break
                raise
            arrays.append((offset + 24, (size - 24) // self._width))
            following = _number(self._bytes(offset + 16, 8), 0)
            # journald only ever appends, so whoever points back would have us walk in circles.
            offset = following if following > offset else 0
        return arrays

    def _backwards(self) -> Iterator[tuple[int, int]]:
        """Number and offset of each entry, newest first; items that are not used are 0."""
        before = sum(size for _, size in self._arrays)
        for start, size in reversed(self._arrays):
            before -= size
            step = _BLOCK // self._width
            for low in range((size - 1) // step * step, -1, -step):
                length = min(step, size - low)
                try:
                    data = self._bytes(start + low * self._width, length * self._width)
                except _DamageError:
                    if self._spent():
                        raise
                    continue
                if not any(data):
                    continue
                for at in range(length - 1, -1, -1):
                    offset = int.from_bytes(data[at * self._width : (at + 1) * self._width], "little")
                    if offset:
                        yield before + low + at, offset

    def _entry_at(self, index: int) -> _Entry | None:
        """The entry with this number; None where it is damaged."""
        for start, size in self._arrays:
            if index < size:
                item = self._bytes(start + index * self._width, self._width)
                try:
                    return self._entry(int.from_bytes(item, "little"))
                except _DamageError:
                    if self._spent():
                        raise
                    return None
            index -= size
        return None

    def _entry_id(self, boot: bytes, newest: int) -> str | None:
        """The entry that a boot was of, by its kernel's command line, which is among its first messages."""
        # A file's boots follow one another, so the first entry of the last one is found by halving.
        low, high = 0, newest
        while low < high:
            middle = (low + high) // 2
            entry = self._entry_at(middle)
            if entry is not None and entry.boot == boot:
                high = middle
            else:
                low = middle + 1
        for index in range(low, min(low + _FIRST, newest + 1)):
            entry = self._entry_at(index)
            if entry is None or entry.boot != boot:
                continue
            fields = self._fields(entry)
            text = fields.get(b"MESSAGE", "")
            # Anybody may log such a line; what came from the kernel is marked by journald.
            if fields.get(b"_TRANSPORT") == "kernel" and "ommand line: " in text:
                return entry_of(text.partition("ommand line: ")[2])
        return None

    def _entry(self, offset: int) -> _Entry:
        size = self._object(offset, _ENTRY, 64)
        width = 4 if self._compact else 16
        count = min((size - 64) // width, _ITEMS)
        data = self._bytes(offset, 64 + count * width)
        items = (data[64 + at * width : 64 + at * width + self._width] for at in range(count))
        found = tuple(int.from_bytes(item, "little") for item in items)
        return _Entry(known_time(_number(data, 24) // 1_000_000), data[40:56], found)

    def _message(self, entry: _Entry) -> Message:
        fields = self._fields(entry)
        name = fields.get(b"SYSLOG_IDENTIFIER") or fields.get(b"_COMM") or "?"
        priority = fields.get(b"PRIORITY", "")
        level = int(priority) if len(priority) == 1 and priority in "01234567" else 6
        text = fields.get(b"MESSAGE", fields.get(_UNKNOWN, ""))
        return Message(entry.time, printable(name), level, printable(" ".join(text.split())))

    def _fields(self, entry: _Entry) -> dict[bytes, str]:
        fields: dict[bytes, str] = {}
        for offset in entry.items:
            if offset not in self._known:
                try:
                    self._known[offset] = self._field(offset)
                except _DamageError:
                    if self._spent():
                        raise
                    self._known[offset] = None
            field = self._known[offset]
            if field is not None:
                fields.setdefault(*field)
        return fields

    def _field(self, offset: int) -> tuple[bytes, str] | None:
        """Name and value of a data object, None where it is of no interest."""
        start = 72 if self._compact else 64
        size = self._object(offset, _DATA, start) - start
        if self._bytes(offset + 1, 1)[0] & _COMPRESSED:
            # Its name is compressed with it. Where there is no other message, what is so long will be the message.
            return _UNKNOWN, COMPRESSED
        data = self._bytes(offset + start, min(size, 32))
        name, equals, _ = data.partition(b"=")
        if not equals or name not in _FIELDS:
            return None
        value = self._bytes(offset + start, min(size, len(name) + 1 + 4 * _LONGEST))[len(name) + 1 :]
        return name, value.decode("utf-8", "replace")[:_LONGEST]

    def _object(self, offset: int, kind: int, least: int) -> int:
        """The size of the object of that kind at `offset`."""
        if offset % 8 or offset >= 1 << 40:
            raise _DamageError(f"offset {offset} is no place for an object")
        header = self._bytes(offset, 16)
        size = _number(header, 8)
        if header[0] != kind or not least <= size < 1 << 32:
            raise _DamageError(f"the object at {offset} is damaged")
        return size

    def _spent(self) -> bool:
        return len(self._blocks) * _BLOCK >= _BUDGET

    def _bytes(self, offset: int, length: int) -> bytes:
        first, last = offset // _BLOCK, (offset + length - 1) // _BLOCK
        data = b"".join(self._block(number) for number in range(first, last + 1))
        data = data[offset - first * _BLOCK :][:length]
        if len(data) < length:
            raise _DamageError("it ends too early")
        return data

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if self._spent():
                raise _DamageError(f"more than {_BUDGET >> 20} MiB of it would have to be read")
            try:
                self._blocks[number] = self._reader(number * _BLOCK, _BLOCK)
            except (ChainbootError, OSError, ValueError) as error:
                raise _DamageError(printable(str(error))) from error
        return self._blocks[number]


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def last_error(messages: Sequence[Message]) -> Message | None:
    """The last message of priority "err" or worse."""
    return next((message for message in reversed(messages) if message.priority <= 3), None)
