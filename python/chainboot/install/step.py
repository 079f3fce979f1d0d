"""What an install does, one step at a time, as data. Pure; `describe` is a line of the plan and of the progress."""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.boot.plan import Concatenate
from chainboot.process import pasteable

# Permissions of files: what is on the boot volume may hold keys, what the system reads may be read by all.
PRIVATE, READABLE = 0o600, 0o644


def size_text(size: int) -> str:
    """`9.1 MiB`, `512 bytes`: a size in bytes for a person."""
    return f"{size} bytes" if size < 1 << 17 else f"{size / (1 << 20):.1f} MiB"


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """Make a directory, which is not there yet, for its owner only."""

    path: str

    def describe(self) -> str:
        """The step in words."""
        return f"make {self.path}"


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy a file of `size` bytes, down to the disk. With a `digest` (SHA-256) it must be what was looked at."""

    source: str
    target: str
    size: int
    digest: bytes = b""

    def describe(self) -> str:
        """The step in words."""
        return f"copy {self.source} -> {self.target} ({size_text(self.size)})"


@dataclass(frozen=True, slots=True)
class Link:
    """Give a file a second name, which keeps its blocks when the first one goes; copy it where that is impossible."""

    source: str
    target: str
    size: int

    def describe(self) -> str:
        """The step in words."""
        return f"link {self.source} -> {self.target} ({size_text(self.size)})"


@dataclass(frozen=True, slots=True)
class Join:
    """Write several files into one, `size` bytes in all, down to the disk."""

    files: Concatenate
    size: int

    def describe(self) -> str:
        """The step in words."""
        return f"{self.files.describe()} ({size_text(self.size)})"


@dataclass(frozen=True, slots=True)
class Write:
    """Put a text into a file, down to the disk. The file has the old text or the new one, whatever happens."""

    path: str
    text: str
    mode: int = PRIVATE

    def describe(self) -> str:
        """The step in words, without the text."""
        return f"write {self.path} ({len(self.text.encode('utf-8', 'surrogateescape'))} bytes)"


@dataclass(frozen=True, slots=True)
class Rename:
    """Rename a directory within the one that it is in."""

    source: str
    target: str

    def describe(self) -> str:
        """The step in words."""
        return f"rename {self.source} -> {self.target}"


@dataclass(frozen=True, slots=True)
class Sync:
    """What a directory holds, to the disk: names, not what is in the files."""

    path: str

    def describe(self) -> str:
        """The step in words."""
        return f"sync {self.path}"


@dataclass(frozen=True, slots=True)
class WriteThrough:
    """From now on whatever is written in a directory is on the disk before the program that writes goes on."""

    path: str

    def describe(self) -> str:
        """The step as it could be pasted."""
        return f"$ {pasteable(['chattr', '+SD', self.path])}"


@dataclass(frozen=True, slots=True)
class SyncAll:
    """Everything that was written, to the disk."""

    def describe(self) -> str:
        """The step as it could be pasted."""
        return "$ sync"


@dataclass(frozen=True, slots=True)
class Command:
    """Run a program; any exit code but 0 is a failure."""

    argv: tuple[str, ...]

    def describe(self) -> str:
        """The step as it could be pasted."""
        return f"$ {pasteable(self.argv)}"


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a directory of ours and what is in it. Its name changes first, so that half of it is not taken for all."""

    path: str

    def describe(self) -> str:
        """The step in words."""
        return f"remove {self.path}"


Step = MakeDirectory | Copy | Link | Join | Write | Rename | Sync | WriteThrough | SyncAll | Command | Remove
