"""Where generated files live, and making each of them once.

Knows hashes and rename; knows nothing of what is made. A file is made again when the hash of what it is made from
changes; there are no time stamps to get wrong.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from chainboot.errors import NotFoundError

REPOSITORY = Path(__file__).resolve().parents[2]
# Elsewhere where the repository can not be written to, as in a Nix build.
BUILD = Path(os.environ.get("CHAINBOOT_BUILD") or REPOSITORY / "build").absolute()


def once(target: Path, key: str, make: Callable[[Path], None]) -> Path:
    """`target`, made by `make(temporary file)` unless it exists and was made with the same `key`."""
    stamp = target.with_name(target.name + ".key")
    if target.exists() and stamp.exists() and stamp.read_text() == key:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        make(fresh)
        stamp.unlink(missing_ok=True)  # an interruption here leaves a file that will be made again
        fresh.replace(target)
        stamp.write_text(key)
    finally:
        fresh.unlink(missing_ok=True)
    return target


def key_of(*parts: str | bytes) -> str:
    """One hash of several parts; where one ends and the next begins matters."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def key_of_files(*roots: Path) -> str:
    """One hash of the names and contents of all files at and below `roots`, compiled Python left out."""
    parts: list[str | bytes] = []
    for root in roots:
        for path in _files(root):
            parts += [str(path.relative_to(root)), path.read_bytes()]
    return key_of(*parts)


def _files(root: Path) -> Iterable[Path]:
    if root.is_file():
        return (root,)
    return sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def program(name: str) -> str:
    """The path of a program, looked for also where only root looks (Debian gives users no /usr/sbin)."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))
    found = shutil.which(name, path=path)
    if found is None:
        raise NotFoundError(f"{name} is not installed", hint="tools/bootstrap installs what is needed")
    return found


def remove_tree(path: Path) -> None:
    """Remove a directory tree if there is one, also where a package made a directory read-only."""
    if not path.exists():
        return
    for directory, _, _ in os.walk(path):
        Path(directory).chmod(stat.S_IRWXU)
    shutil.rmtree(path)
