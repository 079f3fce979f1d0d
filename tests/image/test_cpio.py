"""The archive, against the kernel's description of the format, read back by a reader that shares no code with it."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainboot.errors import ChainbootError
from chainboot.image.cpio import Device, Directory, File, Link, Node, pack


@dataclass(frozen=True, slots=True)
class Read:
    """A header as buffer-format.rst has it, and what follows it."""

    name: str
    ino: int
    mode: int
    uid: int
    gid: int
    nlink: int
    mtime: int
    rmajor: int
    rminor: int
    data: bytes


def unpack(archive: bytes) -> list[Read]:
    found: list[Read] = []
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        assert at % 4 == 0
        fields = [int(archive[at + 6 + 8 * index : at + 14 + 8 * index], 16) for index in range(13)]
        ino, mode, uid, gid, nlink, mtime, size, major, minor, rmajor, rminor, name_size, check = fields
        assert (major, minor, check) == (0, 0, 0)
        name = archive[at + 110 : at + 110 + name_size]
        assert name.endswith(b"\0")
        start = (at + 110 + name_size + 3) // 4 * 4
        at = (start + size + 3) // 4 * 4
        if name == b"TRAILER!!!\0":
            assert not archive[at:].strip(b"\0")
            return found
        data = archive[start : start + size]
        found.append(Read(name[:-1].decode(), ino, mode, uid, gid, nlink, mtime, rmajor, rminor, data))


NODES: list[tuple[str, Node]] = [
    ("/dev", Directory(0o755)),
    ("/dev/console", Device(0o600, "c", 5, 1)),
    ("/dev/loop0", Device(0o660, "b", 7, 0)),
    ("/init", File(0o755, b"#!/bin/sh\n")),
    ("/bin", Link("usr/bin")),
    ("/usr", Directory(0o755)),
    ("/usr-local", File(0o644, b"")),
    ("/usr/bin", Directory(0o755)),
    ("/usr/bin/\N{GREEK SMALL LETTER ALPHA}", File(0o644, b"12345")),
]


def test_entries_as_the_kernel_reads_them() -> None:
    archive = b"".join(pack(NODES))
    assert len(archive) % 512 == 0
    assert [(read.name, oct(read.mode), read.rmajor, read.rminor, read.data) for read in unpack(archive)] == [
        ("bin", "0o120777", 0, 0, b"usr/bin"),
        ("dev", "0o40755", 0, 0, b""),
        ("dev/console", "0o20600", 5, 1, b""),
        ("dev/loop0", "0o60660", 7, 0, b""),
        ("init", "0o100755", 0, 0, b"#!/bin/sh\n"),
        ("usr", "0o40755", 0, 0, b""),
        ("usr-local", "0o100644", 0, 0, b""),
        ("usr/bin", "0o40755", 0, 0, b""),
        ("usr/bin/\N{GREEK SMALL LETTER ALPHA}", "0o100644", 0, 0, b"12345"),
    ]
    assert {(read.uid, read.gid, read.mtime) for read in unpack(archive)} == {(0, 0, 0)}
    assert [read.ino for read in unpack(archive)] == list(range(1, 10))
    assert [read.name for read in unpack(archive) if read.nlink == 2] == ["dev", "usr", "usr/bin"]


def test_the_order_in_which_entries_are_given_does_not_matter() -> None:
    shuffled = NODES.copy()
    random.Random(1).shuffle(shuffled)
    assert b"".join(pack(shuffled)) == b"".join(pack(NODES))


@given(st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1), st.binary()))
def test_whatever_is_packed_comes_back(files: dict[str, bytes]) -> None:
    files = {name: data for name, data in files.items() if name not in (".", "..", "TRAILER!!!")}
    archive = b"".join(pack((f"/{name}", File(0o644, data)) for name, data in files.items()))
    assert {read.name: read.data for read in unpack(archive)} == files


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([("/a/b", File(0o644, b""))], "/a/b: its parent /a is not a directory of the image"),
        ([("/a", Link("b")), ("/a/b", File(0o644, b""))], "/a/b: its parent /a is not a directory of the image"),
        (
            [("/a", File(0o644, b"1")), ("/a", File(0o644, b"2"))],
            "'/a' is given twice, or is not the plain absolute path of an image entry",
        ),
        ([("/TRAILER!!!", File(0o644, b""))], "/TRAILER!!! would be taken for the end of the archive"),
        ([("a", File(0o644, b""))], "'a' is given twice, or is not the plain absolute path of an image entry"),
        ([("/a/", Directory(0o755))], "'/a/' is given twice, or is not the plain absolute path of an image entry"),
        (
            [(f"/{'n' * 5000}", File(0o644, b""))],
            f"/{'n' * 60}... is longer than the 4095 bytes that the kernel takes",
        ),
    ],
)
def test_what_the_format_cannot_hold(nodes: list[tuple[str, Node]], words: str) -> None:
    with pytest.raises(ChainbootError) as refused:
        b"".join(pack(nodes))
    assert str(refused.value) == words
