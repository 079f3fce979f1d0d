"""What is told of an initrd before it is installed: what is refused, what is only said, and what is fine."""

from __future__ import annotations

import gzip
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import FakeRunner

from chainboot.errors import RefusedError
from chainboot.image.cpio import Directory, File, Node, pack
from chainboot.install.initrd import check_initrd
from chainboot.process import Completed, run

Pack = Callable[[bytes], bytes]

VERSION = "6.1.0-50-s390x"
NEEDS_ZSTD = pytest.mark.skipif(shutil.which("zstd") is None, reason="there is no zstd")


def elf(machine: int = 22, *, big: bool = True) -> bytes:
    ident = b"\x7fELF" + bytes([2, 1 + big, 1]) + bytes(9)
    return ident + struct.pack(">HH" if big else "<HH", 2, machine) + bytes(400)


S390X, X86_64 = elf(), elf(62, big=False)


def archive(files: dict[str, bytes]) -> bytes:
    nodes: dict[str, Node] = {path: File(0o755, data) for path, data in files.items()}
    for path in files:
        while (path := path.rpartition("/")[0]) and path not in nodes:
            nodes[path] = Directory(0o755)
    return b"".join(pack(nodes.items()))


def modules(version: str) -> dict[str, bytes]:
    return {f"/lib/modules/{version}/kernel/dm.ko.xz": b"x" * 700}


SETTINGS = archive({"/etc/settings": b"x=1"})
GOOD = archive({"/bin/busybox": S390X, **modules(VERSION), "/z": bytes(range(256)) * 3000})


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-19", "-qc"], input=data, capture_output=True, check=True).stdout


def plain(data: bytes) -> bytes:
    return data


KINDS = [plain, gzip.compress, pytest.param(zstd, marks=NEEDS_ZSTD)]


def check(tmp_path: Path, data: bytes, version: str | None = VERSION) -> tuple[str, ...]:
    file = tmp_path / "initrd"
    file.write_bytes(data)
    return check_initrd(str(file), version, run)


def refusal(tmp_path: Path, data: bytes) -> str:
    with pytest.raises(RefusedError) as refused:
        check(tmp_path, data)
    return refused.value.message.removeprefix(f"{tmp_path}/initrd cannot be installed: ")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", [b"", SETTINGS, SETTINGS + bytes(512)], ids=["", "cpio", "padded"])
@pytest.mark.parametrize("behind", [b"", SETTINGS, bytes(8) + SETTINGS], ids=["", "cpio", "padded"])
def test_a_good_one(tmp_path: Path, kind: Pack, before: bytes, behind: bytes) -> None:
    assert check(tmp_path, before + kind(GOOD) + behind) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_it_is_looked_at(tmp_path: Path, kind: Pack) -> None:
    """Modules behind what is compressed, in it, and in its second archive."""
    wrong = archive(modules("6.6.1"))
    said = f"the initrd has modules for 6.6.1, the kernel is {VERSION}"
    for data in (kind(SETTINGS) + wrong, SETTINGS + kind(wrong), kind(SETTINGS + bytes(4) + wrong), kind(wrong)):
        assert refusal(tmp_path, data) == said
        assert check(tmp_path, data + kind(archive(modules(VERSION)))) == ()


def test_what_the_tests_of_the_machine_use(tmp_path: Path) -> None:
    """Two plain archives, a busybox of the machine and no modules."""
    assert check(tmp_path, archive({"/bin/busybox": S390X, "/init": b"#!/bin/sh\n"}) + SETTINGS) == ()


def test_modules_of_other_kernels_do_no_harm(tmp_path: Path) -> None:
    both = archive({**modules("6.6.1"), **modules(VERSION)})
    assert check(tmp_path, both) == ()
    assert check(tmp_path, archive(modules("6.6.1")), None) == ()
    assert check(tmp_path, archive({"/lib/modules/6.6.1/modules.dep": b"no modules"})) == ()
    assert "6.6.1" in refusal(tmp_path, archive({"/usr/lib/modules/6.6.1/a.ko": b"x"}))


def test_another_machine(tmp_path: Path) -> None:
    assert refusal(tmp_path, archive({"/bin/busybox": X86_64})) == "the initrd is for x86_64"
    assert refusal(tmp_path, archive({"/b": elf(22, big=False)})).startswith("the initrd is for another machine")
    # For a device, or beside what the machine runs.
    assert check(tmp_path, archive({"/lib/firmware/dsp.mbn": X86_64})) == ()
    assert check(tmp_path, archive({"/a": X86_64, "/b": S390X})) == ()


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize("lost", [1, 3, 200])
def test_one_that_is_cut_off(tmp_path: Path, kind: Pack, lost: int) -> None:
    assert refusal(tmp_path, SETTINGS + kind(GOOD)[:-lost]) == "the initrd is cut off"


def test_one_that_is_cut_off_behind_what_is_not_known(tmp_path: Path) -> None:
    assert refusal(tmp_path, gzip.compress(GOOD + b"junk" * 999)[:-1]) == "the initrd is cut off"


def test_what_is_not_sure_is_only_said(tmp_path: Path) -> None:
    said = "the initrd could not be tested whole: "
    unknown = f"{said}it is compressed in a way that is not known here, or something follows its end"
    assert check(tmp_path, b"\xfd7zXZ" + bytes(100)) == (unknown,)
    assert check(tmp_path, GOOD + b"junk") == (unknown,)
    assert check(tmp_path, GOOD[:3000]) == (f"{said}an archive in it ends in the middle of a file",)
    assert check(tmp_path, SETTINGS[:-512] + b"070701" + b"z" * 900) == (
        f"{said}an archive in it is damaged, or ends too early",
    )
    damaged = bytearray(gzip.compress(GOOD))
    damaged[-8] ^= 1
    assert check(tmp_path, bytes(damaged)) == (f"{said}gzip: Error -3 while decompressing data: incorrect data check",)
    wrong = archive(modules("6.6.1"))
    assert check(tmp_path, wrong + b"junk")[1:] == (
        f"as far as it was seen, the initrd has modules for 6.6.1, the kernel is {VERSION}",
    )


@NEEDS_ZSTD
def test_without_the_program_zstd(tmp_path: Path) -> None:
    file = tmp_path / "initrd"
    file.write_bytes(zstd(GOOD))
    none = FakeRunner({"zstd": Completed((), 127)})
    assert check_initrd(str(file), VERSION, none) == ("the initrd could not be tested whole: zstd exited with 127",)
    file.write_bytes(zstd(GOOD)[:-9])
    with pytest.raises(RefusedError):
        check_initrd(str(file), VERSION, none)


@NEEDS_ZSTD
def test_one_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "initrd"
    block = (((128 << 10) << 3) | (1 << 1)).to_bytes(3, "little") + b"\0"
    file.write_bytes(b"\x28\xb5\x2f\xfd\x00\x58" + block * 8193 + b"\x01\0\0")
    runner = FakeRunner()
    assert check_initrd(str(file), VERSION, runner) == (
        "the initrd could not be tested whole: it may unpack to more than 1024 MiB",
    )
    assert runner.commands == []
