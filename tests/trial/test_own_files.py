"""A file that is replaced holds the old text or the new one, whatever call fails or is the last one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chainboot.boot.writing import System
from chainboot.trial.own_files import OwnDirectory

OLD, NEW = b"old\n", b"new\n" * 3000


class PowerCut(BaseException):
    """The machine is gone."""


class Stopping(System):
    """Fails at call number `at`; after a power cut every call fails."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.at, self.error, self.calls = at, error, 0

    def step(self) -> None:
        self.calls += 1
        gone = isinstance(self.error, PowerCut) and self.calls > self.at
        if self.calls == self.at or gone:
            raise self.error

    def open(self, path: str, flags: int, directory: int | None = None) -> int:
        self.step()
        return super().open(path, flags, directory)

    def write(self, descriptor: int, data: bytes) -> int:
        self.step()
        return super().write(descriptor, data[:4000])

    def sync(self, descriptor: int) -> None:
        self.step()
        super().sync(descriptor)

    def rename(self, source: str, target: str, directory: int) -> None:
        self.step()
        super().rename(source, target, directory)

    def remove(self, name: str, directory: int) -> None:
        self.step()
        super().remove(name, directory)


@pytest.mark.parametrize("cut", [False, True], ids=["error", "cut"])
@pytest.mark.parametrize("at", range(1, 15))
def test_the_old_text_or_the_new_one(tmp_path: Path, at: int, cut: bool) -> None:
    file = tmp_path / "own/file.txt"
    with OwnDirectory(str(tmp_path), "/own", System()) as own:
        own.replace("file.txt", OLD)
    failed = False
    try:
        with OwnDirectory(str(tmp_path), "/own", Stopping(at, PowerCut() if cut else OSError(5, "gone"))) as own:
            own.replace("file.txt", NEW)
    except (PowerCut, OSError):
        failed = True
    assert file.read_bytes() in (OLD, NEW)
    assert failed or file.read_bytes() == NEW
    # What is left behind is in nobody's way.
    with OwnDirectory(str(tmp_path), "/own", System()) as own:
        own.replace("file.txt", NEW)
        own.keep_newest(8, ".txt", but="file.txt")
    assert os.listdir(tmp_path / "own") == ["file.txt"]
    assert file.read_bytes() == NEW


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for at in range(1, 20):
        try:
            with OwnDirectory(str(tmp_path), "/own/deep", Stopping(at, OSError(5, "gone"))) as own:
                own.replace("a", NEW)
                own.add("b", OLD)
        except OSError:
            pass
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("act", ["replace", "rotate"])
def test_a_renamed_file_is_synced_after_its_directory(tmp_path: Path, act: str) -> None:
    # FAT: fsync of the directory writes a name without a size; that of the file completes it.
    synced: list[str] = []

    class Watched(System):
        def sync(self, descriptor: int) -> None:
            synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
            super().sync(descriptor)

    with OwnDirectory(str(tmp_path), "/own", Watched()) as own:
        own.replace("a", OLD)
        if act == "rotate":
            own.rotate("a")
    assert synced[-2:] == ["own", "a" if act == "replace" else "a.1"]
