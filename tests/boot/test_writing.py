"""Replacing a file: after every failure and every power cut there is the old text or the new one."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainboot.boot.volume import PathError, Volume
from chainboot.boot.writing import System, replace_file
from chainboot.errors import RefusedError

OLD, NEW = b"DEFAULT a\n" * 50, b"DEFAULT bcd\n" * 700


class PowerCut(BaseException):
    """The machine is gone: nothing runs after it, not even what cleans up."""


class Faulty(System):
    """Fails at call number `at` (from 0), before it does anything or, with `late`, after it has done it.

    After a power cut every other call fails too. `calls` are the names of those that were made.
    """

    def __init__(self, at: int, error: BaseException, *, late: bool = False, only: str = "") -> None:
        self.at, self.error, self.late, self.only = at, error, late, only
        self.calls: list[str] = []
        self.gone = False

    def step(self, name: str) -> Iterator[None]:
        if self.gone:
            raise self.error
        hit = len(self.calls) == self.at if not self.only else self.only == name and self.calls.count(name) == self.at
        self.calls.append(name)
        self.gone = hit and isinstance(self.error, PowerCut)
        if hit and not self.late:
            raise self.error
        yield
        if hit:
            raise self.error

    def open(self, path: str, flags: int, directory: int | None = None) -> int:
        descriptor = -1
        for _ in self.step("create" if flags & os.O_CREAT else "open"):
            descriptor = super().open(path, flags, directory)
        return descriptor

    def status(self, descriptor: int) -> os.stat_result:
        for _ in self.step("status"):
            found = super().status(descriptor)
        return found

    def write(self, descriptor: int, data: bytes) -> int:
        written = 0
        for _ in self.step("write"):
            written = super().write(descriptor, data[:4000])  # a short write, as write(2) allows
        return written

    def set_owner(self, descriptor: int, user: int, group: int) -> None:
        for _ in self.step("set_owner"):
            super().set_owner(descriptor, user, group)

    def set_mode(self, descriptor: int, mode: int) -> None:
        for _ in self.step("set_mode"):
            super().set_mode(descriptor, mode)

    def sync(self, descriptor: int) -> None:
        for _ in self.step("sync"):
            super().sync(descriptor)

    def close(self, descriptor: int) -> None:
        super().close(descriptor)  # whatever it says; and the descriptors of a machine that is gone are gone too
        for _ in self.step("close"):
            pass

    def rename(self, source: str, target: str, directory: int) -> None:
        for _ in self.step("rename"):
            super().rename(source, target, directory)

    def remove(self, name: str, directory: int) -> None:
        for _ in self.step("remove"):
            super().remove(name, directory)

    def link(self, source: str, target: str, directory: int) -> None:
        for _ in self.step("link"):
            super().link(source, target, directory)

    def checkpoint(self, descriptor: int) -> None:
        for _ in self.step("checkpoint"):
            super().checkpoint(descriptor)


STEPS = [
    "open", "open", "status", "link", "create", "write", "write", "write", "status", "set_mode", "sync",
    "sync", "checkpoint", "rename", "sync", "sync", "checkpoint", "close", "remove", "close", "close",
]  # fmt: skip
RENAME, DONE = STEPS.index("rename"), STEPS.index("close")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    file = tmp_path / "disk/extlinux/extlinux.conf"
    file.parent.mkdir(parents=True)
    file.write_bytes(OLD)
    file.chmod(0o640)
    return file


def volume(conf: Path) -> Volume:
    return Volume(str(conf.parents[1]), "the disk")


def put(conf: Path, system: System | None = None, new: bytes = NEW) -> None:
    replace_file(volume(conf), "/extlinux/extlinux.conf", OLD, new, system or System())


def refusal(conf: Path, system: System | None = None) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        put(conf, system)
    return refused.value


def names(conf: Path) -> list[str]:
    return sorted(os.listdir(conf.parent))


def test_the_file_is_replaced_with_its_mode(conf: Path) -> None:
    put(conf)
    assert conf.read_bytes() == NEW
    assert stat.S_IMODE(conf.stat().st_mode) == 0o640
    assert names(conf) == ["extlinux.conf"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_file_keeps_its_owner_and_its_set_user_id(conf: Path) -> None:
    os.chown(conf, 12, 34)
    conf.chmod(0o4755)
    put(conf)
    found = conf.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12, 34, 0o4755)


def test_the_steps_are_the_ones_that_survive_a_power_cut(conf: Path) -> None:
    system = Faulty(-1, PowerCut())
    put(conf, system)
    assert system.calls == STEPS


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(len(STEPS)))
def test_after_a_power_cut_there_is_the_old_file_or_the_new_one(conf: Path, at: int, late: bool) -> None:
    with pytest.raises(PowerCut):
        put(conf, Faulty(at, PowerCut(), late=late))
    renamed = at > RENAME or (late and at == RENAME)
    assert conf.read_bytes() == (NEW if renamed else OLD)
    assert stat.S_IMODE(conf.stat().st_mode) == 0o640
    put_again = conf.read_bytes()
    replace_file(volume(conf), "/extlinux/extlinux.conf", put_again, b"x")  # what is left over is in nobody's way
    assert conf.read_bytes() == b"x"
    assert names(conf) == ["extlinux.conf"]


@pytest.mark.parametrize("at", range(DONE))
def test_a_call_that_fails_leaves_the_old_file_alone(conf: Path, at: int) -> None:
    error = refusal(conf, Faulty(at, OSError(errno.EIO, "Input/output error")))
    assert names(conf) == ["extlinux.conf"]
    if at > RENAME:
        assert conf.read_bytes() == NEW
        assert error.message == f"{conf} was changed, but a power cut may undo it: input/output error"
    else:
        assert conf.read_bytes() == OLD
        assert error.message == f"{conf} was not changed: input/output error"


def test_an_interrupt_leaves_nothing_behind(conf: Path) -> None:
    for at in range(RENAME + 1):
        with pytest.raises(KeyboardInterrupt):
            put(conf, Faulty(at, KeyboardInterrupt()))
        assert (names(conf), conf.read_bytes()) == (["extlinux.conf"], OLD)


@pytest.mark.parametrize(
    ("code", "only", "sentence"),
    [
        (errno.EROFS, "create", "the disk is mounted read-only"),
        (errno.EACCES, "create", "permission denied"),
        (errno.EPERM, "rename", "operation not permitted"),
        (errno.ENOSPC, "create", "the disk has no space left"),
        (errno.ENOSPC, "write", "the disk has no space left"),
        (errno.EDQUOT, "sync", "the disk has no space left"),
        (errno.ENOSPC, "link", "the disk has no space left"),
        (errno.EIO, "checkpoint", "input/output error"),
        (errno.EBUSY, "rename", "device or resource busy"),
    ],
)
def test_a_refusal_is_one_sentence(conf: Path, code: int, only: str, sentence: str) -> None:
    error = refusal(conf, Faulty(0, OSError(code, os.strerror(code)), only=only))
    assert error.message == f"{conf} was not changed: {sentence}"
    assert (names(conf), conf.read_bytes()) == (["extlinux.conf"], OLD)


@pytest.mark.parametrize("at", [1, 2])
def test_a_directory_that_cannot_be_synced_is_no_failure(conf: Path, at: int) -> None:
    put(conf, Faulty(at, OSError(errno.EINVAL, "Invalid argument"), only="sync"))
    assert conf.read_bytes() == NEW


def test_what_cannot_be_closed_is_no_failure(conf: Path) -> None:
    for at in range(3):
        put(conf, Faulty(at, OSError(errno.EIO, "Input/output error"), only="close"))
        assert (names(conf), conf.read_bytes()) == (["extlinux.conf"], NEW)
        conf.write_bytes(OLD)


class Watched(System):
    """Says what the file is at each call: its text, and how many names that text has."""

    def __init__(self, conf: Path) -> None:
        self.conf = conf
        self.seen: list[tuple[str, int, bool]] = []

    def look(self, call: str) -> None:
        file = self.conf.stat()
        self.seen.append((call, file.st_nlink, self.conf.read_bytes() == NEW))

    def sync(self, descriptor: int) -> None:
        directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        super().sync(descriptor)
        self.look("sync directory" if directory else "sync file")

    def checkpoint(self, descriptor: int) -> None:
        super().checkpoint(descriptor)
        self.look("checkpoint")

    def remove(self, name: str, directory: int) -> None:
        self.look("remove")
        assert (self.conf.parent / name).read_bytes() == OLD
        super().remove(name, directory)


def test_the_old_file_is_there_until_the_new_one_is_on_the_disk_under_its_name(conf: Path) -> None:
    system = Watched(conf)
    put(conf, system)
    assert system.seen == [
        ("sync file", 2, False),
        ("sync directory", 2, False),
        ("checkpoint", 2, False),
        ("sync directory", 1, True),
        ("sync file", 1, True),
        ("checkpoint", 1, True),
        ("remove", 1, True),
    ]


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_where_there_are_no_hard_links_the_old_file_is_held_open(conf: Path, code: int) -> None:
    class Short(Faulty):
        """FAT gives a name the first place in the directory that is large enough."""

        def rename(self, source: str, target: str, directory: int) -> None:
            assert (len(source), len(os.listdir(directory))) == (255, 2)
            super().rename(source, target, directory)

    system = Short(0, OSError(code, os.strerror(code)), only="link")
    put(conf, system)
    assert (names(conf), conf.read_bytes()) == (["extlinux.conf"], NEW)
    assert system.calls[system.calls.index("rename") :] == [*STEPS[RENAME:DONE], "close", "close", "close"]


def test_what_a_power_cut_has_left_is_removed_and_nothing_else(conf: Path) -> None:
    left = [".chainboot-0123456789abcdef", ".chainboot-00000000000000ff" + "-" * 228]
    others = [".chainboot-0123456789abcdeF", ".chainboot-0123", "0123456789abcdef", ".chainboot-0123456789abcdef-x"]
    os.link(conf, conf.parent / left[0])  # the second name: it does not make the file one with two names
    for name in (left[1], *others):
        (conf.parent / name).write_bytes(b"")
    put(conf)
    assert (names(conf), conf.read_bytes()) == (sorted(["extlinux.conf", *others]), NEW)


def test_only_one_changes_it_at_a_time(conf: Path) -> None:
    directory = os.open(conf.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        assert refusal(conf).message == f"{conf} was not changed: another chainboot is changing it just now"
    finally:
        os.close(directory)
    put(conf)
    assert conf.read_bytes() == NEW


def test_a_file_that_another_program_has_changed_is_left_to_it(conf: Path) -> None:
    class Other(System):
        def sync(self, descriptor: int) -> None:
            super().sync(descriptor)
            conf.write_bytes(OLD + b"#")

    assert refusal(conf, Other()).message == f"{conf} was not changed: another program has changed it just now"
    assert (names(conf), conf.read_bytes()) == (["extlinux.conf"], OLD + b"#")


def test_a_file_that_lies_where_the_temporary_one_goes_is_not_touched(conf: Path) -> None:
    class Squatted(System):
        def open(self, path: str, flags: int, directory: int | None = None) -> int:
            if flags & os.O_CREAT:
                (conf.parent / path).write_bytes(b"mine")
            return super().open(path, flags, directory)

    assert refusal(conf, Squatted()).message == f"{conf} was not changed: file exists"
    (other,) = set(names(conf)) - {"extlinux.conf"}
    assert ((conf.parent / other).read_bytes(), conf.read_bytes()) == (b"mine", OLD)


def test_a_link_stays_a_link_and_its_target_is_replaced(conf: Path) -> None:
    target = conf.parents[1] / "real/extlinux.conf"
    target.parent.mkdir()
    conf.rename(target)
    conf.symlink_to("/real/extlinux.conf")  # absolute: from the root of the volume
    put(conf)
    assert (os.readlink(conf), target.read_bytes()) == ("/real/extlinux.conf", NEW)
    assert (names(conf), names(target)) == (["extlinux.conf"], ["extlinux.conf"])


def test_a_link_out_of_the_volume_is_refused(conf: Path) -> None:
    outside = conf.parents[2] / "outside.conf"
    outside.write_bytes(OLD)
    conf.unlink()
    conf.symlink_to(f"../../{outside.name}")
    with pytest.raises(PathError) as refused:
        put(conf)
    assert refused.value.message == (
        "/extlinux/extlinux.conf is a symbolic link to ../../outside.conf, and links never leave the volume: "
        "/outside.conf does not exist in it"
    )
    assert outside.read_bytes() == OLD


def test_a_file_with_two_names_is_refused(conf: Path) -> None:
    os.link(conf, conf.parent / "syslinux.cfg")
    assert refusal(conf).message == (
        f"{conf} was not changed: it has 2 names (hard links), and the others would keep the old text"
    )
    assert names(conf) == ["extlinux.conf", "syslinux.cfg"]


def test_what_is_no_file_is_refused(conf: Path) -> None:
    conf.unlink()
    conf.mkdir()
    assert refusal(conf).message == f"{conf} was not changed: is a directory"
    conf.rmdir()
    os.mkfifo(conf)
    assert refusal(conf).message == f"{conf} was not changed: no such device or address"


@pytest.mark.parametrize("linked", [False, True])
def test_the_nix_store_is_never_written(tmp_path: Path, linked: bool) -> None:
    conf = tmp_path / "disk/nix/store/abc-extlinux.conf"
    conf.parent.mkdir(parents=True)
    conf.write_bytes(OLD)
    path = "/nix/store/abc-extlinux.conf"
    if linked:
        (tmp_path / "disk/extlinux.conf").symlink_to("nix/store/abc-extlinux.conf")
        path = "/extlinux.conf"
    with pytest.raises(RefusedError) as refused:
        replace_file(Volume(str(tmp_path / "disk"), "the disk"), path, OLD, NEW)
    assert refused.value.message == (
        f"{conf} was not changed: it is in the Nix store, where nothing changes once it is built"
    )


def test_a_user_without_the_right_to_write_is_refused() -> None:
    with tempfile.TemporaryDirectory() as top:  # pytest's own directory is closed to everybody else
        os.chmod(top, 0o755)
        conf = Path(top, "extlinux/extlinux.conf")
        conf.parent.mkdir(mode=0o755)
        conf.write_bytes(OLD)
        conf.chmod(0o444)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            error = refusal(conf)
        finally:
            if root:
                os.seteuid(0)
        assert error.message == f"{conf} was not changed: permission denied"
        assert (names(conf), conf.read_bytes()) == (["extlinux.conf"], OLD)
