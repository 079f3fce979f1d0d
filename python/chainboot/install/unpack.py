"""Streams of bytes read in pieces, and what gzip and zstd have packed. Knows nothing of what is inside.

Sources: RFC 1952 (gzip), RFC 8878 (zstd: frames, and how long they are).
"""

from __future__ import annotations

from collections.abc import Iterator

from chainboot.errors import ChainbootError, reason
from chainboot.process import Runner

CHUNK = 1 << 16
# The most that is unpacked, in bytes.
LIMIT = 1 << 30

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"

# Seconds for zstd, which unpacks a GiB in a few on a slow disk.
_ZSTD_S = 300.0

_BLOCK_LIMIT = 128 << 10
_RAW, _RLE, _RESERVED = 0, 1, 3


class CutOffError(Exception):
    """The stream ends before its end."""


class UntestedError(Exception):
    """It is not known what this is; the text says why."""


class Pieces:
    """Bytes that come in pieces. With a `limit`, in bytes, more than that raises `UntestedError`."""

    def __init__(self, pieces: Iterator[bytes], limit: int | None = None) -> None:
        self._pieces = pieces
        self._held = b""
        self._left = limit

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end; they stay."""
        while len(self._held) < size:
            piece = self._next()
            if not piece:
                break
            self._held += piece
        return self._held[:size]

    def read(self, size: int) -> bytes:
        """The next `size` bytes, which are few; fewer at the end."""
        found = self.peek(size)
        self._held = self._held[len(found) :]
        return found

    def some(self, size: int = CHUNK) -> bytes:
        """Up to `size` bytes; none at the end."""
        self.peek(1)
        return self.read(min(size, len(self._held)))

    def skip(self, size: int) -> int:
        """Pass over `size` bytes; returns how many there were."""
        left = size
        while left and (piece := self.some(left)):
            left -= len(piece)
        return size - left

    def skip_zeros(self) -> None:
        """Pass over bytes that are zero."""
        while self.peek(1):
            self._held = self._held.lstrip(b"\0")
            if self._held:
                return

    def give_back(self, data: bytes) -> None:
        """What was read, and is to be read again."""
        self._held = data + self._held

    def drain(self) -> None:
        """Read to the end."""
        self._held = b""
        while self._next():
            pass

    def _next(self) -> bytes:
        piece = next(self._pieces, b"")
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise UntestedError(f"it unpacks to more than {LIMIT >> 20} MiB")
        return piece


def gunzip(data: Pieces) -> Iterator[bytes]:
    """Unpack one gzip member, and leave what follows it. Raises `CutOffError` and `UntestedError`."""
    import zlib

    stream = zlib.decompressobj(wbits=31)
    packed = b""
    while not stream.eof:
        packed = stream.unconsumed_tail or data.some()
        try:
            found = stream.decompress(packed, CHUNK)
        except zlib.error as error:
            raise UntestedError(f"gzip: {error}") from error
        if not packed and not found and not stream.eof:
            raise CutOffError
        if found:
            yield found
    data.give_back(stream.unused_data)


def unzstd(data: Pieces, runner: Runner) -> Iterator[bytes]:
    """Unpack one zstd frame, and leave what follows it. Raises `CutOffError` and `UntestedError`.

    The frame is copied into a file of its own first: zstd complains of what follows it.
    """
    import os
    import tempfile

    try:
        with tempfile.TemporaryDirectory(prefix="chainboot-") as place:
            packed, whole = os.path.join(place, "packed"), os.path.join(place, "whole")
            with open(packed, "wb") as file:
                size = 0
                for piece, most in _frame(data):
                    file.write(piece)
                    size += most
            if size > LIMIT:
                raise UntestedError(f"it may unpack to more than {LIMIT >> 20} MiB")
            try:
                # --long=31: the kernel has the whole file in memory, and takes any window.
                runner(("zstd", "-dqf", "--long=31", "-o", whole, packed), check=True, timeout=_ZSTD_S)
            except ChainbootError as error:
                raise UntestedError(error.message) from error
            with open(whole, "rb") as file:
                while piece := file.read(CHUNK):
                    yield piece
    except OSError as error:
        raise UntestedError(f"no room to unpack it: {reason(error)}") from error


def _frame(data: Pieces) -> Iterator[tuple[bytes, int]]:
    """One frame in pieces, each with how many bytes it unpacks to at most."""
    head = _exactly(data, 5)
    flags = head[4]
    single = bool(flags & 0x20)
    sizes = (int(single), 2, 4, 8)[flags >> 6] + (0, 1, 2, 4)[flags & 3] + (not single)
    yield head + _exactly(data, sizes), 0
    last = False
    while not last:
        header = _exactly(data, 3)
        number = int.from_bytes(header, "little")
        last, kind, size = bool(number & 1), number >> 1 & 3, number >> 3
        if kind == _RESERVED or size > _BLOCK_LIMIT:
            raise UntestedError("zstd: it is damaged")
        yield header + _exactly(data, 1 if kind == _RLE else size), size if kind in (_RAW, _RLE) else _BLOCK_LIMIT
    yield _exactly(data, 4 if flags & 4 else 0), 0


def _exactly(data: Pieces, size: int) -> bytes:
    found = data.read(size)
    if len(found) < size:
        raise CutOffError
    return found
