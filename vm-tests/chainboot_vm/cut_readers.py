"""Readers of a disk that lost its power: as the menu sees it, and as a system that boots finds it after its repair.

Knows e2fsprogs, dosfstools and vfat.py; needs neither root nor a kernel. Knows nothing of what the files mean.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from chainboot.process import Runner, run
from chainboot_vm.artifacts import program
from chainboot_vm.vfat import Vfat, VfatError


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader finds: files by path, without those that are not there or not whole, and why they are not."""

    files: Mapping[str, bytes]
    trouble: str = ""


# Reads the files with these paths (without leading slash) from an image.
Reader = Callable[[Path, tuple[str, ...]], Seen]


def ext4_as_it_is(image: Path, paths: tuple[str, ...], runner: Runner = run) -> Seen:
    """As `mount -o noload` shows it: the journal is not looked at."""
    out = image.with_suffix(".out")
    asked: list[str] = []
    for number, path in enumerate(paths):
        _file(out, number).unlink(missing_ok=True)
        asked += [f"stat /{path}", f"dump /{path} {_file(out, number)}"]
    script = out.with_suffix(".debugfs")
    script.write_text("".join(f"{line}\n" for line in asked))
    done = runner((program("debugfs"), "-c", "-f", str(script), str(image)), check=False, timeout=60)
    # -c: the maps of what is free are not read, as a read-only mount does not. What has been removed is shown, but is
    # not there to a kernel.
    answers = re.split(r"(?m)^debugfs: stat .*$", done.stdout)[1:]
    found = {
        path: _file(out, number).read_bytes()
        for number, (path, answer) in enumerate(zip(paths, answers, strict=False))
        if _file(out, number).exists() and re.search(r"\bLinks: [1-9]", answer)
    }
    return Seen(found, "" if len(found) == len(paths) else _one_line(done.stderr.partition("\n")[2]))


def ext4_repaired(image: Path, paths: tuple[str, ...], runner: Runner = run) -> Seen:
    """After the journal is replayed and the file system checked."""
    return _repaired(image, paths, (program("e2fsck"), "-fp"), ext4_as_it_is, runner)


def vfat_as_it_is(image: Path, paths: tuple[str, ...]) -> Seen:
    """As it stands there, strictly (see `vfat.Vfat`)."""
    found: dict[str, bytes] = {}
    trouble: list[str] = []
    with image.open("rb") as disk:

        def read(at: int, size: int) -> bytes:
            disk.seek(at)
            return disk.read(size)

        for path in paths:
            try:
                data = Vfat(read).file(path)
            except VfatError as error:
                trouble.append(error.message)
                continue
            if data is not None:
                found[path] = data
    return Seen(found, "; ".join(trouble))


def vfat_repaired(image: Path, paths: tuple[str, ...], runner: Runner = run) -> Seen:
    """After the check that a booting system does by itself."""
    return _repaired(image, paths, (program("fsck.vfat"), "-a"), vfat_as_it_is, runner)


READERS: Mapping[str, Mapping[str, Reader]] = {
    "ext4": {"as it is": ext4_as_it_is, "repaired": ext4_repaired},
    "fat": {"as it is": vfat_as_it_is, "repaired": vfat_repaired},
}


def _file(out: Path, number: int) -> Path:
    return out.with_suffix(f".out{number}")


def _repaired(image: Path, paths: tuple[str, ...], command: tuple[str, ...], reader: Reader, runner: Runner) -> Seen:
    copy = image.with_suffix(".repaired")
    shutil.copyfile(image, copy)
    # 1: errors were corrected; 2: and the system should be restarted.
    done = runner((*command, str(copy)), check=False, timeout=60)
    if done.returncode not in (0, 1):
        return Seen({}, f"{done.reason()}: {_one_line(done.stdout)}")
    seen = reader(copy, paths)
    said = _one_line(done.stdout) if done.returncode else ""
    return Seen(seen.files, f"{seen.trouble} {said}".strip())


def _one_line(said: str) -> str:
    """The beginning of what a program said."""
    return " ".join(said.split())[:300]
