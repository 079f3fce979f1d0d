"""Files of our own: whole or not at all, whatever system call fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from chainboot.boot.writing import System
from chainboot.remote.placing import own, place


class Failing(System):
    """Records the calls; the one named `failing` raises, on its `nth` time."""

    def __init__(self, failing: str = "", nth: int = 1, number: int = errno.EIO) -> None:
        self.calls: list[str] = []
        self.failing = (failing, nth, number)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        failing, nth, number = self.failing
        if name == failing and self.calls.count(name) == nth:
            raise OSError(number, os.strerror(number))

    def write(self, descriptor: int, data: bytes) -> int:
        self._called("write")
        return super().write(descriptor, data[:3])

    def sync(self, descriptor: int) -> None:
        self._called("sync")
        super().sync(descriptor)

    def rename(self, source: str, target: str, directory: int) -> None:
        self._called("rename")
        super().rename(source, target, directory)


@pytest.fixture
def directory(tmp_path: Path) -> int:
    return own(str(tmp_path / "d"))


def test_a_file_is_its_owners_alone_and_replaces_what_was_there(tmp_path: Path, directory: int) -> None:
    system = Failing()
    place(directory, "f", b"old text", system)
    assert system.calls == ["write", "write", "write", "sync", "rename", "sync"]
    place(directory, "f", b"new")
    assert (tmp_path / "d/f").read_bytes() == b"new"
    assert (tmp_path / "d/f").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
    assert os.listdir(tmp_path / "d") == ["f"]


@pytest.mark.parametrize(("failing", "nth"), [("write", 1), ("write", 2), ("sync", 1), ("rename", 1)])
def test_what_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, directory: int, failing: str, nth: int
) -> None:
    place(directory, "f", b"old")
    with pytest.raises(OSError, match="Input/output error"):
        place(directory, "f", b"new text", Failing(failing, nth))
    assert (tmp_path / "d/f").read_bytes() == b"old"
    assert os.listdir(tmp_path / "d") == ["f"]


def test_a_file_system_that_cannot_sync_a_directory_is_no_failure(directory: int) -> None:
    place(directory, "f", b"x", Failing("sync", 2, errno.EINVAL))
    with pytest.raises(OSError, match="Input/output error"):
        place(directory, "f", b"x", Failing("sync", 2))


def test_links_are_not_followed(tmp_path: Path, directory: int) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        own(str(tmp_path / "link"))
    (tmp_path / "d/f").symlink_to("../elsewhere/f")
    place(directory, "f", b"x")
    assert os.listdir(tmp_path / "elsewhere") == []
    assert not (tmp_path / "d/f").is_symlink()
