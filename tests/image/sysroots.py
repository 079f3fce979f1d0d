"""Sysroots for tests: a table of paths and contents made into a directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chainboot.image.sysroot import Sysroot


@dataclass(frozen=True, slots=True)
class To:
    """A symbolic link, where a table has bytes for a file."""

    target: str


def write_sysroot(root: Path, files: Mapping[str, bytes | str | To]) -> Sysroot:
    """A sysroot at `root` with these files; keys are absolute paths in it."""
    root.mkdir(exist_ok=True)
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        match content:
            case To(target):
                path.symlink_to(target)
            case str():
                path.write_text(content)
            case bytes():
                path.write_bytes(content)
    return Sysroot.open(root)
