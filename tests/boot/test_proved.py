"""The mark of a first stage that has booted something: left once, and only where that first stage lies."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from boot.test_writing import Faulty, PowerCut
from fakes import FakeRunner

from chainboot.boot.proved import mark_proved
from chainboot.boot.volume import Volume
from chainboot.process import Completed

ID = "0123456789ab"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (tmp_path / f"disk/chainboot/first-stage/{ID}").mkdir(parents=True)
    return tmp_path / "disk"


def volume(path: Path, *, mounted: bool = False) -> Volume:
    return Volume(str(path), "the disk", device="/dev/dasda1" if mounted else None, mounted=mounted)


def mark(path: Path, identifier: str = ID, run: FakeRunner | None = None, *, mounted: bool = False) -> str | None:
    runtime = str(path.parent / "run")
    return mark_proved(run or FakeRunner(), [volume(path, mounted=mounted)], identifier, runtime=runtime)


@pytest.mark.parametrize("place", ["chainboot", "boot/chainboot"])
def test_the_mark_is_left_beside_the_files(tmp_path: Path, place: str) -> None:
    home = tmp_path / "disk" / place / "first-stage" / ID
    home.mkdir(parents=True)
    assert mark(tmp_path / "disk") is None
    assert [(file.name, file.read_bytes()) for file in home.iterdir()] == [("proved", b"")]


def test_a_volume_is_made_writable_for_the_mark_and_read_only_again(disk: Path) -> None:
    run = FakeRunner({"blkid": Completed((), 0, "TYPE=ext4\n")})
    assert mark(disk, run=run, mounted=True) is None
    assert [command[0] for command in run.commands] == ["blkid", "blkid", "umount", "mount", "sync", "umount", "mount"]
    assert (disk / f"chainboot/first-stage/{ID}/proved").exists()


def test_with_the_mark_nothing_is_mounted(disk: Path) -> None:
    (disk / f"chainboot/first-stage/{ID}/proved").touch()
    run = FakeRunner()
    assert mark(disk, run=run, mounted=True) is None
    assert run.commands == []


def test_a_mark_that_is_a_link_to_nowhere_counts(disk: Path) -> None:
    (disk / f"chainboot/first-stage/{ID}/proved").symlink_to("/etc/cron.d/x")
    run = FakeRunner()
    assert mark(disk, run=run, mounted=True) is None
    assert run.commands == []


@pytest.mark.parametrize(
    "identifier", ["", "0123456789a", "0123456789AB", "../../../etc", "0123456789ab\n", "fedcba987654"]
)
def test_what_is_no_first_stage_of_this_volume_changes_nothing(disk: Path, identifier: str) -> None:
    run = FakeRunner()
    assert mark(disk, identifier, run, mounted=True) is None
    assert run.commands == []
    assert not list(disk.rglob("proved"))


def test_a_link_out_of_the_volume_is_not_followed(disk: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (disk / f"chainboot/first-stage/{ID}").rmdir()
    (disk / f"chainboot/first-stage/{ID}").symlink_to(outside)
    assert mark(disk) is None
    assert not list(outside.iterdir())


def test_a_disk_that_cannot_be_written_is_a_sentence(disk: Path) -> None:
    run = FakeRunner({"blkid": Completed((), 0, "TYPE=squashfs\n")})
    assert mark(disk, run=run, mounted=True) == (
        f"first stage {ID} was not marked as one that works: the disk cannot be written: squashfs is read-only"
    )


@pytest.mark.parametrize("at", range(6))
def test_a_call_that_fails_is_a_sentence(disk: Path, at: int) -> None:
    system = Faulty(at, OSError(errno.EIO, "Input/output error"))
    assert mark_proved(FakeRunner(), [volume(disk)], ID, runtime=str(disk), system=system) == (
        f"first stage {ID} was not marked as one that works: the disk: input/output error"
    )


def test_the_mark_and_its_name_are_synced(disk: Path) -> None:
    system = Faulty(-1, PowerCut())
    assert mark_proved(FakeRunner(), [volume(disk)], ID, runtime=str(disk), system=system) is None
    assert system.calls == ["open", "create", "sync", "close", "sync", "close"]


def test_a_directory_that_cannot_be_synced_is_no_failure(disk: Path) -> None:
    system = Faulty(1, OSError(errno.EINVAL, "Invalid argument"), only="sync")
    assert mark_proved(FakeRunner(), [volume(disk)], ID, runtime=str(disk), system=system) is None


def test_another_session_that_was_faster_is_no_failure(disk: Path) -> None:
    class Beaten(Faulty):
        def open(self, path: str, flags: int, directory: int | None = None) -> int:
            if flags & os.O_CREAT:
                (disk / f"chainboot/first-stage/{ID}/proved").touch()
            return super().open(path, flags, directory)

    system = Beaten(-1, PowerCut())
    assert mark_proved(FakeRunner(), [volume(disk)], ID, runtime=str(disk), system=system) is None
