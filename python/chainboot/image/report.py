"""What an image holds and why: the table a person sees, and the manifest a program reads.

Knows entries and sizes; writes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from chainboot.image.cpio import Device, Directory, File, Link, Node
from chainboot.image.tree import Entry
from chainboot.text import printable


@dataclass(frozen=True, slots=True)
class GroupSize:
    """How many files a group has, and their bytes before compression."""

    name: str
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class ImageReport:
    """An image that was written. Sizes are bytes, `unpacked` before compression; `sha256` is of the file `output`.

    `notes` are sentences a person should read, such as optional modules that were absent.
    """

    output: Path
    architecture: str
    release: str | None
    compression: str
    groups: tuple[GroupSize, ...]
    unpacked: int
    packed: int
    sha256: str
    notes: tuple[str, ...]

    def describe(self) -> str:
        """The report as lines of text: what fills the image, largest first, then the whole, then the notes."""
        rows = [(group.name, str(group.files), _kib(group.size)) for group in self.groups]
        rows.append(("archive", "", _kib(self.unpacked)))
        rows.append((f"compressed ({self.compression})", "", _kib(self.packed)))
        width = max(len(name) for name, _, _ in rows)
        lines = [
            f"{printable(str(self.output))}: {self.architecture}, kernel modules for {self.release or 'no kernel'}"
        ]
        lines += [f"  {name:<{width}}  {files:>5}  {size:>9} KiB" for name, files, size in rows]
        lines += [f"  note: {printable(note)}" for note in self.notes]
        return "\n".join(lines)


def group_sizes(entries: Iterable[Entry]) -> tuple[GroupSize, ...]:
    """The files of `entries` summed by group, the largest group first."""
    totals: dict[str, tuple[int, int]] = {}
    for entry in entries:
        if isinstance(entry.node, File):
            files, size = totals.get(entry.group, (0, 0))
            totals[entry.group] = (files + 1, size + len(entry.node.data))
    groups = [GroupSize(name, files, size) for name, (files, size) in totals.items()]
    return tuple(sorted(groups, key=lambda group: (-group.size, group.name)))


def manifest_json(entries: Iterable[Entry], report: ImageReport) -> str:
    """Every path with its size, its SHA-256 and why it is there, as JSON. Fields: docs/image-spec.md."""
    document = {
        "architecture": report.architecture,
        "kernel_release": report.release,
        "compression": report.compression,
        "sha256": report.sha256,
        "size": report.packed,
        "unpacked_size": report.unpacked,
        "notes": list(report.notes),
        "entries": [
            {"path": entry.path, **_facts(entry.node), "group": entry.group, "because": entry.because}
            for entry in entries
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _facts(node: Node) -> dict[str, str | int]:
    match node:
        case Directory():
            return {"kind": "directory", "mode": f"{node.mode:04o}"}
        case File():
            digest = hashlib.sha256(node.data).hexdigest()
            return {"kind": "file", "mode": f"{node.mode:04o}", "size": len(node.data), "sha256": digest}
        case Link():
            return {"kind": "link", "to": node.to}
        case Device():
            kind = "character device" if node.kind == "c" else "block device"
            return {"kind": kind, "mode": f"{node.mode:04o}", "major": node.major, "minor": node.minor}
        case _:
            assert_never(node)


def _kib(size: int) -> str:
    return f"{(size + 1023) // 1024:,}".replace(",", " ")
