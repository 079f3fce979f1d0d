"""The record on its volume: whatever call fails and whenever the power is cut, there is the old one or the new one."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from chainboot.boot.volume import Configuration, Volume
from chainboot.errors import RefusedError
from chainboot.extlinux.menu import BootMenu
from chainboot.trial.record import EntryRecord, Record
from chainboot.trial.slots import SEQUENCE_END, SIZE, SLOT, encode
from chainboot.trial.store import System, place, read, update
from chainboot.trial.transition import bless, start

A, B = "a" * 16, "b" * 16
NOW = 1_800_000_000
PATH = "/chainboot/trials"

OLD = Record(4, (EntryRecord(B, good=True, boots=3, since=NOW),))
OLDER = replace(OLD, sequence=3)
NEW = replace(start(OLD, A, 2, NOW), sequence=5)


def spend(record: Record) -> Record:
    return start(record, A, 2, NOW)


def prove(record: Record) -> Record:
    return bless(record, A, NOW)


FIRST = replace(prove(Record()), sequence=1)


class PowerCut(BaseException):
    """The machine is gone: nothing runs after it, not even what cleans up."""


class Faulty(System):
    """Fails at call number `at` (from 0), before it does anything or, with `late`, after it has done it.

    After a power cut every other call fails too. `calls` are the names of those that were made.
    """

    def __init__(self, at: int, error: BaseException, *, late: bool = False) -> None:
        self.at, self.error, self.late = at, error, late
        self.calls: list[str] = []
        self.gone = False
        self.descriptors: set[int] = set()

    def step(self, name: str) -> Iterator[None]:
        if self.gone:
            self.fail()
        hit = len(self.calls) == self.at
        self.calls.append(name)
        self.gone = hit and isinstance(self.error, PowerCut)
        if hit and not self.late:
            self.fail()
        yield
        if hit:
            self.fail()

    def fail(self) -> None:
        while self.gone and self.descriptors:  # a kernel that is gone holds no locks
            os.close(self.descriptors.pop())
        raise self.error

    def open(self, path: str, flags: int, directory: int | None = None) -> int:
        descriptor = -1
        for _ in self.step("create" if flags & os.O_CREAT else "open"):
            descriptor = super().open(path, flags, directory)
            self.descriptors.add(descriptor)
        return descriptor

    def status(self, descriptor: int) -> os.stat_result:
        for _ in self.step("status"):
            found = super().status(descriptor)
        return found

    def lock(self, descriptor: int) -> bool:
        for _ in self.step("lock"):
            taken = super().lock(descriptor)
        return taken

    def read(self, descriptor: int, size: int) -> bytes:
        for _ in self.step("read"):
            data = super().read(descriptor, size)
        return data

    def write_at(self, descriptor: int, data: bytes, at: int) -> int:
        written = 0
        for _ in self.step("write"):
            written = super().write_at(descriptor, data[:6000], at)  # a short write, as pwrite(2) allows
        return written

    def truncate(self, descriptor: int, size: int) -> None:
        for _ in self.step("truncate"):
            super().truncate(descriptor, size)

    def make_directory(self, name: str, directory: int) -> None:
        for _ in self.step("mkdir"):
            super().make_directory(name, directory)

    def sync(self, descriptor: int) -> None:
        for _ in self.step("sync"):
            super().sync(descriptor)

    def checkpoint(self, descriptor: int) -> None:
        for _ in self.step("checkpoint"):
            super().checkpoint(descriptor)

    def close(self, descriptor: int) -> None:
        for _ in self.step("close"):
            self.descriptors.remove(descriptor)
            super().close(descriptor)

    def rename(self, source: str, target: str, directory: int) -> None:
        for _ in self.step("rename"):
            super().rename(source, target, directory)

    def remove(self, name: str, directory: int) -> None:
        for _ in self.step("remove"):
            super().remove(name, directory)


CHANGE = ["open", "status", "lock", "read", "write", "write", "write", "sync", "checkpoint", "close"]
MAKE = [
    "open", "mkdir", "sync", "open", "close", "lock", "remove", "create",
    "write", "write", "write", "write", "write", "write", "sync",
    "rename", "sync", "sync", "checkpoint", "close", "close",
]  # fmt: skip
IN_TIME = [False, True]
WHEN = ["before", "after"]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A volume with a record: the older one in the first slot, the one that counts in the second."""
    root = tmp_path / "disk"
    (root / "chainboot").mkdir(parents=True)
    (root / "chainboot/trials").write_bytes(encode(OLDER) + encode(OLD))
    return root


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A volume where chainboot has never written."""
    root = tmp_path / "disk"
    root.mkdir()
    return root


def put(
    root: Path,
    change: Callable[[Record], Record] = spend,
    system: System | None = None,
    *,
    create: bool = False,
    path: str = PATH,
) -> Record:
    return update(str(root), path, change, system or System(), create)


def refusal(
    root: Path, change: Callable[[Record], Record] = spend, system: System | None = None, *, create: bool = False
) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        put(root, change, system, create=create)
    return refused.value


def there(root: Path) -> Record | None:
    return read(Volume(str(root), "the disk"), PATH).record


def data(root: Path) -> bytes:
    return (root / "chainboot/trials").read_bytes()


def names(root: Path) -> list[str]:
    return sorted(os.listdir(root / "chainboot")) if (root / "chainboot").exists() else []


# Changing what is there.


def test_the_new_record_goes_into_the_other_slot(disk: Path) -> None:
    assert put(disk) == NEW
    assert data(disk) == encode(NEW) + encode(OLD)
    after = put(disk, prove)
    assert data(disk) == encode(NEW) + encode(after)
    assert there(disk) == after


def test_the_inode_stays_and_nothing_stands_beside_it(disk: Path) -> None:
    before = (disk / "chainboot/trials").stat()
    put(disk)
    assert (disk / "chainboot/trials").stat().st_ino == before.st_ino
    assert names(disk) == ["trials"]


def test_no_change_is_no_write(disk: Path) -> None:
    system = Faulty(-1, PowerCut())
    assert put(disk, lambda record: start(record, B, 2, NOW), system) == OLD
    assert system.calls == ["open", "status", "lock", "read", "close"]
    assert data(disk) == encode(OLDER) + encode(OLD)


def test_what_the_change_refuses_is_passed_on_and_nothing_written(disk: Path) -> None:
    def refuse(_: Record) -> Record:
        raise RefusedError("too late")

    assert refusal(disk, refuse).message == "too late"
    assert data(disk) == encode(OLDER) + encode(OLD)


def test_the_calls_of_a_change(disk: Path) -> None:
    system = Faulty(-1, PowerCut())
    put(disk, spend, system)
    assert system.calls == CHANGE


@pytest.mark.parametrize("late", IN_TIME, ids=WHEN)
@pytest.mark.parametrize("at", range(len(CHANGE)))
def test_after_a_power_cut_there_is_the_old_record_or_the_new(disk: Path, at: int, late: bool) -> None:
    with pytest.raises(PowerCut):
        put(disk, spend, Faulty(at, PowerCut(), late=late))
    # The last write has the line feeds at the end only: the record is whole before it, as soon as its lines are.
    written = at > CHANGE.index("write") or (late and at == CHANGE.index("write"))
    assert there(disk) == (NEW if written else OLD)
    assert data(disk)[SLOT:] == encode(OLD), "the slot that counted is not touched"
    assert put(disk, prove).find(A) == EntryRecord(A, good=True, boots=1, since=NOW), "and the next change goes well"


@pytest.mark.parametrize("late", IN_TIME, ids=WHEN)
@pytest.mark.parametrize("at", range(len(CHANGE) - 1))
def test_after_an_error_there_is_the_old_record_or_the_error_says_so(disk: Path, at: int, late: bool) -> None:
    told = refusal(disk, spend, Faulty(at, OSError(errno.EIO, "Input/output error"), late=late)).message
    place = f"{disk}{PATH}"
    if CHANGE[at] in ("sync", "checkpoint"):
        assert told == f"{place} was changed, but a power cut may undo it: input/output error"
        assert there(disk) == NEW
    else:
        assert told == f"{place} was not changed: input/output error"
        assert data(disk)[SLOT:] == encode(OLD)
        assert there(disk) in (OLD, NEW)
    assert put(disk, prove).sequence in (5, 6)


def test_a_close_that_fails_after_the_sync_is_no_failure(disk: Path) -> None:
    assert put(disk, spend, Faulty(CHANGE.index("close"), OSError(errno.EIO, "x"))) == NEW


REASONS = [
    (errno.EROFS, "it is on a volume that is mounted read-only"),
    (errno.ENOSPC, "its volume has no space left"),
    (errno.EDQUOT, "its volume has no space left"),
    (errno.EACCES, "permission denied"),
    (errno.EPERM, "operation not permitted"),
    (errno.ELOOP, "it is a symbolic link"),
    (errno.EIO, "input/output error"),
]


@pytest.mark.parametrize(("number", "words"), REASONS, ids=[errno.errorcode[row[0]] for row in REASONS])
def test_why_it_was_not_changed_is_said_in_words(disk: Path, number: int, words: str) -> None:
    error = OSError(number, os.strerror(number))
    assert refusal(disk, spend, Faulty(0, error)).message == f"{disk}{PATH} was not changed: {words}"
    assert refusal(disk, spend, Faulty(CHANGE.index("write"), error)).message.endswith(words)


# Damage.


@pytest.mark.parametrize("hit", [0, 1])
def test_a_damaged_slot_is_reported_and_the_next_write_repairs_it(disk: Path, hit: int) -> None:
    slots = [encode(OLD), encode(OLD)]
    slots[hit] = b"\xff" * SLOT
    (disk / "chainboot/trials").write_bytes(b"".join(slots))
    reading = read(Volume(str(disk), "the disk"), PATH)
    assert reading.problems == (f"slot {hit + 1} of the record of trials is damaged",)
    assert (reading.record, reading.missing) == (OLD, False)
    put(disk)
    assert read(Volume(str(disk), "the disk"), PATH).problems == ()
    assert there(disk) == NEW


def test_both_slots_damaged_is_an_empty_record_that_can_be_written(disk: Path) -> None:
    (disk / "chainboot/trials").write_bytes(b"\xff" * SIZE)
    reading = read(Volume(str(disk), "the disk"), PATH)
    assert reading.record == Record()
    assert len(reading.problems) == 2
    assert put(disk).find(A) == EntryRecord(A, tries_left=1, tries_done=1, since=NOW)
    assert len(read(Volume(str(disk), "the disk"), PATH).problems) == 1
    put(disk, prove)
    assert read(Volume(str(disk), "the disk"), PATH).problems == ()


@pytest.mark.parametrize("size", [0, 5, 300, SLOT, SLOT + 5, SLOT + 300, SIZE - 1, SIZE + 1, SIZE + 100000])
def test_a_file_of_another_size_loses_nothing_and_is_repaired(disk: Path, size: int) -> None:
    (disk / "chainboot/trials").write_bytes((encode(OLDER) + encode(OLD)).ljust(size, b"x")[:size])
    reading = read(Volume(str(disk), "the disk"), PATH)
    expected = Record() if size < 100 else OLDER if size < SLOT + 100 else OLD
    assert reading.record == expected
    assert "bytes" in reading.problems[0]
    put(disk)
    put(disk, prove)
    reading = read(Volume(str(disk), "the disk"), PATH)
    assert (reading.problems, len(data(disk))) == ((), SIZE)
    assert reading.record is not None
    assert reading.record.sequence == expected.sequence + 2


def test_a_newer_version_is_off_and_never_written_over(disk: Path) -> None:
    newer = encode(OLD).replace(b"trials 1 4", b"trials 2 4")
    # The check sum counts the version in.
    (disk / "chainboot/trials").write_bytes(encode(OLDER) + newer)
    assert there(disk) == OLDER
    from binascii import crc32

    body = b"anything\n"
    whole = (b"chainboot-trials 2 9 %08x %d\n" % (crc32(b"2 9 " + body), len(body)) + body).ljust(SLOT, b"\n")
    (disk / "chainboot/trials").write_bytes(encode(OLDER) + whole)
    reading = read(Volume(str(disk), "the disk"), PATH)
    assert (reading.record, reading.missing) == (None, False)
    assert reading.problems == ("the record of trials has version 2, and this chainboot knows 1",)
    for create in (False, True):
        told = refusal(disk, create=create).message
        assert told == f"{disk}{PATH} was not changed: another version of chainboot wrote it"
    assert data(disk) == encode(OLDER) + whole


def test_a_sequence_at_its_end_begins_anew(disk: Path) -> None:
    """Whoever could write once must not keep every later try and blessing from the disk."""
    (disk / "chainboot/trials").write_bytes(encode(replace(OLD, sequence=SEQUENCE_END - 1)) * 2)
    after = put(disk, spend)
    assert after == replace(NEW, sequence=2)
    assert there(disk) == after
    assert read(Volume(str(disk), "the disk"), PATH).problems == ()
    assert put(disk, prove).sequence == 3


@pytest.mark.parametrize("late", IN_TIME, ids=WHEN)
@pytest.mark.parametrize("at", range(10))
def test_a_power_cut_while_it_begins_anew(disk: Path, at: int, late: bool) -> None:
    last = replace(OLD, sequence=SEQUENCE_END - 1)
    (disk / "chainboot/trials").write_bytes(encode(last) * 2)
    with suppress(PowerCut):
        put(disk, spend, Faulty(at, PowerCut(), late=late))
    found = there(disk)
    assert found in (last, replace(NEW, sequence=1), replace(NEW, sequence=2))
    assert put(disk, prove).find(A) is not None


# What is no file, and links.


def test_there_is_none(bare: Path) -> None:
    reading = read(Volume(str(bare), "the disk"), PATH)
    assert (reading.record, reading.problems, reading.missing) == (None, (), True)
    assert refusal(bare).message == f"{bare}{PATH} was not changed: there is no record of trials"
    assert names(bare) == []


@pytest.mark.parametrize("create", [False, True])
def test_a_directory_in_its_place_stays(bare: Path, create: bool) -> None:
    (bare / "chainboot/trials").mkdir(parents=True)
    reading = read(Volume(str(bare), "the disk"), PATH)
    assert (reading.record, reading.missing) == (None, False)
    assert reading.problems == ("/chainboot/trials is a directory, not a file",)
    assert "is a directory" in refusal(bare, create=create).message


def test_a_fifo_in_its_place_hangs_nobody(bare: Path) -> None:
    (bare / "chainboot").mkdir()
    os.mkfifo(bare / "chainboot/trials")
    assert "a named pipe" in read(Volume(str(bare), "the disk"), PATH).problems[0]
    assert refusal(bare).message.endswith("it is a named pipe, not a file")


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("target", ["absolute", "relative", "dangling"])
def test_a_link_never_leads_out_of_the_volume(disk: Path, tmp_path: Path, target: str, create: bool) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(encode(OLD) * 2)
    (disk / "chainboot/trials").unlink()
    to = {"absolute": str(outside), "relative": "../../outside", "dangling": "nowhere"}[target]
    (disk / "chainboot/trials").symlink_to(to)
    reading = read(Volume(str(disk), "the disk"), PATH)
    assert (reading.record, reading.missing) == (None, False)
    assert "links never leave the volume" in reading.problems[0]
    assert "links never leave the volume" in refusal(disk, create=create).message
    assert outside.read_bytes() == encode(OLD) * 2
    assert names(disk) == ["trials"]


@pytest.mark.parametrize("create", [False, True])
def test_nor_does_a_link_in_place_of_the_directory(bare: Path, tmp_path: Path, create: bool) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (bare / "chainboot").symlink_to(outside)
    assert "links never leave the volume" in refusal(bare, create=create).message
    assert os.listdir(outside) == []


def test_a_link_inside_the_volume_is_followed(disk: Path) -> None:
    (disk / "real").mkdir()
    (disk / "chainboot/trials").rename(disk / "real/record")
    (disk / "chainboot/trials").symlink_to("/real/record")
    assert put(disk) == NEW
    assert (disk / "chainboot/trials").is_symlink()
    assert (disk / "real/record").read_bytes() == encode(NEW) + encode(OLD)


# The first record of a volume.


def test_the_first_record_is_made_whole(bare: Path) -> None:
    system = Faulty(-1, PowerCut())
    assert put(bare, prove, system, create=True) == FIRST
    assert system.calls == MAKE
    assert data(bare) == encode(replace(FIRST, sequence=0)) + encode(FIRST)
    assert read(Volume(str(bare), "the disk"), PATH).problems == ()
    assert names(bare) == ["trials"]
    assert (bare / "chainboot").stat().st_mode & 0o777 == 0o755
    assert put(bare, spend, create=True).sequence == 1, "nothing to change: it is good"


def test_where_nothing_changes_none_is_made(bare: Path) -> None:
    assert put(bare, lambda record: record, create=True) == Record()
    assert os.listdir(bare) == []


def test_below_boot_of_a_running_system(bare: Path) -> None:
    (bare / "boot").mkdir()
    put(bare, prove, create=True, path="/boot/chainboot/trials")
    assert (bare / "boot/chainboot/trials").stat().st_size == SIZE


@pytest.mark.parametrize("late", IN_TIME, ids=WHEN)
@pytest.mark.parametrize("at", range(len(MAKE)))
def test_after_a_power_cut_there_is_no_record_or_the_whole(bare: Path, at: int, late: bool) -> None:
    with pytest.raises(PowerCut):
        put(bare, prove, Faulty(at, PowerCut(), late=late), create=True)
    rename = MAKE.index("rename")
    assert there(bare) == (FIRST if at > rename or (late and at == rename) else None)
    assert put(bare, prove, create=True).find(A) is not None
    assert names(bare) == ["trials"], "what the power cut left is gone with the next attempt"


FAILURES = [
    pytest.param(at, late, id=f"{at}-{name}-{'after' if late else 'before'}")
    for at, name in enumerate(MAKE)
    for late in (False, True)
    # A close that fails is no failure, what is to be removed is not there, and no open(2) creates a file and fails.
    if name != "close" and not (late and name in ("remove", "create"))
]


@pytest.mark.parametrize(("at", "late"), FAILURES)
def test_after_an_error_none_is_made_or_the_error_says_so(bare: Path, at: int, late: bool) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    told = refusal(bare, prove, Faulty(at, error, late=late), create=True).message
    if at > MAKE.index("rename"):
        assert told == f"{bare}{PATH} was made, but a power cut may undo it: no space left on device"
        assert there(bare) == FIRST
    else:
        assert told == f"{bare}{PATH} was not changed: its volume has no space left"
        late_rename = late and MAKE[at] == "rename"
        assert names(bare) == (["trials"] if late_rename else [])


# Others, at the same time.


def test_two_programs_lose_no_change(disk: Path) -> None:
    """Forty changes at once, of which each reads what the one before has written."""
    digests = [f"{number:016x}" for number in range(40)]
    threads = [
        threading.Thread(target=put, args=(disk, lambda record, digest=digest: bless(record, digest, NOW)))
        for digest in digests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = there(disk)
    assert record is not None
    assert record.sequence == OLD.sequence + 40
    assert {entry.digest for entry in record.entries} == {*digests, B}


def test_two_programs_that_make_the_first_one_lose_no_change(bare: Path) -> None:
    digests = [f"{number:016x}" for number in range(10)]
    threads = [
        threading.Thread(
            target=put, args=(bare, lambda record, digest=digest: bless(record, digest, NOW)), kwargs={"create": True}
        )
        for digest in digests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = there(bare)
    assert record is not None
    assert {entry.digest for entry in record.entries} == set(digests)


def test_who_comes_while_another_writes_waits(disk: Path) -> None:
    descriptor = os.open(disk / "chainboot/trials", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    done: list[Record] = []
    thread = threading.Thread(target=lambda: done.append(put(disk)))
    thread.start()
    thread.join(0.3)
    assert not done
    os.close(descriptor)
    thread.join(10)
    assert done == [NEW]


def test_who_never_ends_is_not_waited_for_for_ever(disk: Path) -> None:
    class Busy(System):
        patience = 0.2

        def lock(self, _: int) -> bool:
            return False

    told = refusal(disk, spend, Busy()).message
    assert told == f"{disk}{PATH} was not changed: another program changes it since 0.2 s"


# Where it is.


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/extlinux/extlinux.conf", "/chainboot/trials"),
        ("/extlinux.conf", "/chainboot/trials"),
        ("/boot/extlinux/extlinux.conf", "/boot/chainboot/trials"),
        ("/boot/syslinux/syslinux.cfg", "/boot/chainboot/trials"),
    ],
)
def test_its_place_is_beside_the_loaders_directory(path: str, where: str) -> None:
    assert place(Configuration(Volume("/mnt/sda1", "the disk"), path, BootMenu(path))) == where


def test_whatever_the_disk_says_reading_never_raises(bare: Path) -> None:
    (bare / "chainboot").write_text("a file in place of the directory")
    assert read(Volume(str(bare), "the disk"), PATH).missing
    assert read(Volume(str(bare / "nowhere"), "the disk"), PATH).missing
    assert read(Volume(str(bare), "the disk"), "/a\0b").problems
    (bare / "x").mkdir()
    (bare / "x/trials").write_bytes(b"\xa5" * SIZE)
    assert read(Volume(str(bare), "the disk"), "/x/trials").record == Record()
