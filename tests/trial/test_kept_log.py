"""The first stage's log on a volume: bounded, and no more than itself is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from chainboot.boot.volume import Volume
from chainboot.boot.writing import System
from chainboot.trial.kept_log import append, tail

DIRECTORY = "/boot/chainboot"


def lines_of(root: Path, count: int = 1000) -> tuple[str, ...]:
    return tail(Volume(str(root), "vda"), DIRECTORY, count)


def test_lines_are_added(tmp_path: Path) -> None:
    assert lines_of(tmp_path) == ()
    assert append(str(tmp_path), DIRECTORY, ("one", "two")) is None
    assert append(str(tmp_path), DIRECTORY, ()) is None
    assert append(str(tmp_path), DIRECTORY, ("three \x1b[31m",)) is None
    assert lines_of(tmp_path) == ("one", "two", "three \N{REPLACEMENT CHARACTER}[31m")
    assert lines_of(tmp_path, 1) == lines_of(tmp_path)[-1:]
    assert lines_of(tmp_path, 0) == ()
    assert oct((tmp_path / "boot/chainboot/log").stat().st_mode)[-3:] == "600"


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    append(str(tmp_path), DIRECTORY, ("one",))
    log = tmp_path / "boot/chainboot/log"
    log.write_bytes(log.read_bytes() + b"half of a li\xc3")
    assert append(str(tmp_path), DIRECTORY, ("two",)) is None
    assert lines_of(tmp_path) == ("one", "half of a li\N{REPLACEMENT CHARACTER}", "two")


def test_it_never_takes_more_than_128_kib(tmp_path: Path) -> None:
    for number in range(400):
        assert append(str(tmp_path), DIRECTORY, [f"{number} {'x' * 900}"]) is None
    sizes = {name: os.path.getsize(tmp_path / f"boot/chainboot/{name}") for name in ("log", "log.1")}
    assert all(size <= 65536 for size in sizes.values())
    assert sorted(os.listdir(tmp_path / "boot/chainboot")) == ["log", "log.1"]
    kept = [int(line.split()[0]) for line in lines_of(tmp_path)]
    assert kept == list(range(kept[0], 400))
    assert len(kept) > 64 << 10 >> 10


def test_of_too_many_lines_the_last_ones_are_kept(tmp_path: Path) -> None:
    append(str(tmp_path), DIRECTORY, ("before",))
    assert append(str(tmp_path), DIRECTORY, [f"{number} {'ä' * 2000}" for number in range(100)]) is None
    found = lines_of(tmp_path)
    assert found[0] == "before"
    assert found[-1].startswith("99 ")
    assert max(map(len, found)) == 1000
    assert os.path.getsize(tmp_path / "boot/chainboot/log") <= 65536


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left on device"),
        (errno.EROFS, "read-only file system"),
        (errno.EIO, "input/output error"),
    ],
    ids=["full", "read-only", "broken"],
)
def test_a_volume_that_cannot_be_written_is_a_sentence(tmp_path: Path, number: int, words: str) -> None:
    class Failing(System):
        def write(self, descriptor: int, data: bytes) -> int:
            del descriptor, data
            raise OSError(number, os.strerror(number))

    append(str(tmp_path), DIRECTORY, ("one",))
    assert append(str(tmp_path), DIRECTORY, ("two",), Failing()) == f"the log was not kept on the disk: {words}"
    assert lines_of(tmp_path) == ("one",)


def test_it_is_on_the_disk_before_the_jump(tmp_path: Path) -> None:
    synced: list[str] = []

    class Watched(System):
        def sync(self, descriptor: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(str(tmp_path)))
            super().sync(descriptor)

    append(str(tmp_path), DIRECTORY, ("one",), Watched())
    assert synced == ["", "/boot", "/boot/chainboot/log", "/boot/chainboot"]


@pytest.mark.parametrize("kind", ["link", "directory", "pipe"])
def test_only_a_file_is_written(tmp_path: Path, kind: str) -> None:
    (tmp_path / "boot/chainboot").mkdir(parents=True)
    (tmp_path / "passwd").write_text("root\n")
    log = tmp_path / "boot/chainboot/log"
    if kind == "link":
        log.symlink_to(tmp_path / "passwd")
    elif kind == "directory":
        log.mkdir()
    else:
        os.mkfifo(log)
    problem = append(str(tmp_path), DIRECTORY, ("one",))
    assert problem is not None
    assert problem.startswith("the log was not kept on the disk: ")
    assert (tmp_path / "passwd").read_text() == "root\n"


def test_a_link_inside_the_volume_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "boot").symlink_to("/real")
    assert append(str(tmp_path), DIRECTORY, ("one",)) is None
    assert lines_of(tmp_path) == ("one",)
    assert (tmp_path / "real/chainboot/log").read_text() == "one\n"
