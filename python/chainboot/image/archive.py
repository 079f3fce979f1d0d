"""An archive on disk: written beside its place, compressed, and put there by rename, so that it is whole or absent.

Knows compressors; knows nothing of what is in the archive.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import assert_never

from chainboot.errors import ChainbootError
from chainboot.process import Runner


class Compression(Enum):
    """How the archive is compressed: all three are in every kernel this is for (CONFIG_RD_ZSTD, CONFIG_RD_GZIP)."""

    ZSTD = "zstd"
    GZIP = "gzip"
    NONE = "none"

    @property
    def levels(self) -> range:
        """The levels that may be asked for, the default last. zstd above 19 needs windows that kernels refuse."""
        match self:
            case Compression.ZSTD:
                return range(1, 20)
            case Compression.GZIP:
                return range(1, 10)
            case Compression.NONE:
                return range(0)
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: bytes before and after compression, and the SHA-256 of the file."""

    unpacked: int
    packed: int
    sha256: str


def check_level(compression: Compression, level: int | None) -> None:
    """Raise a `ChainbootError` for a level that `compression` does not have. None is its default."""
    if level is None or level in compression.levels:
        return
    if not compression.levels:
        raise ChainbootError("there is no level without compression")
    low, high = compression.levels[0], compression.levels[-1]
    raise ChainbootError(f"{compression.value} has the levels {low} to {high}, not {level}")


def write_archive(
    pieces: Iterable[bytes], output: Path, compression: Compression, level: int | None, run: Runner
) -> Written:
    """Write `pieces` to `output`. On any failure the old file, if there was one, is as it was."""
    check_level(compression, level)
    try:
        with tempfile.TemporaryDirectory(prefix=".chainboot-", dir=output.parent) as name:
            plain = Path(name) / "archive"
            with plain.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
            packed = _compressed(plain, compression, level, run)
            written = Written(plain.stat().st_size, packed.stat().st_size, _digest(packed))
            packed.chmod(0o644)  # whatever the umask: a loader or an emulator reads it as another user
            with packed.open("rb") as file:
                os.fsync(file.fileno())
            packed.replace(output)
            return written
    except OSError as error:
        raise ChainbootError(f"{output} cannot be written: {error.strerror}") from error


def _compressed(plain: Path, compression: Compression, level: int | None, run: Runner) -> Path:
    match compression:
        case Compression.NONE:
            return plain
        case Compression.GZIP:
            packed = plain.with_suffix(".gz")
            with packed.open("wb") as file:
                # no name and no time in the header: RFC 1952
                highest = compression.levels[-1]
                with gzip.GzipFile("", "wb", level or highest, file, mtime=0) as sink:
                    sink.write(plain.read_bytes())
            return packed
        case Compression.ZSTD:
            packed = plain.with_suffix(".zst")
            # one thread: zstd's output depends on how the work was divided
            chosen = f"-{level or compression.levels[-1]}"
            run(["zstd", "-q", chosen, "--single-thread", "-o", str(packed), str(plain)], check=True)
            return packed
        case _:
            assert_never(compression)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
