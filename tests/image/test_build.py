"""From a spec and a sysroot to a file: the same bytes each time, whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import FakeRunner
from image.elf_files import elf_file
from image.sysroots import To, write_sysroot
from image.test_cpio import unpack

from chainboot.errors import ChainbootError
from chainboot.image.access import AddedFile
from chainboot.image.archive import Compression, write_archive
from chainboot.image.build import build
from chainboot.image.report import ImageReport
from chainboot.process import Completed, ProcessError, Runner, run

SPEC = {
    "architecture": "x86_64",
    "links": [{"target": "/lib", "to": "usr/lib"}, {"target": "/bin/sh", "to": "busybox"}],
    "directories": ["/dev", {"path": "/tmp", "mode": "1777"}],
    "device_nodes": [{"path": "/dev/console", "kind": "c", "major": 5, "minor": 1}],
    "files": [
        {"target": "/init", "source": "init", "mode": "0755"},
        {"target": "/etc/os-release", "sysroot": "/etc/os-*"},
        {"target": "/etc/hostname", "text": "chainboot\n"},
    ],
    "executables": ["/bin/busybox", {"path": "/sbin/kexec", "target": "/usr/sbin/kexec"}],
    "python": {"interpreter": "/usr/bin/python3.99", "packages": [{"name": "app"}], "modules": ["app"]},
    "kernel_modules": {"required": ["ext4"], "optional": ["isofs"]},
}
LIBRARY = "/usr/lib/python3.99"
STARTUP = (
    "abc codecs encodings/__init__ encodings/aliases encodings/ascii encodings/latin_1 encodings/utf_8 genericpath "
    "importlib/__init__ importlib/machinery importlib/util io os posixpath runpy stat warnings _collections_abc"
)


def prepare(directory: Path) -> Path:
    """A directory with a spec, a sysroot and a package."""
    directory.mkdir()
    files: dict[str, bytes | str | To] = {
        "/bin/busybox": elf_file(),
        "/sbin/kexec": elf_file(needed=("libz.so.1",)),
        "/lib/libz.so.1": elf_file(tail=b"z"),
        "/etc/os-release": "ID=test\n",
        "/usr/bin/python3.99": elf_file(inittab=["sys"]),
        "/lib/modules/6.1/kernel/ext4.ko": elf_file(modinfo=["depends="]),
    }
    write_sysroot(directory / "root", files | {f"{LIBRARY}/{name}.py": "" for name in STARTUP.split()})
    (directory / "app").mkdir()
    (directory / "app" / "__init__.py").write_text("import sys\n")
    (directory / "init").write_text("#!/bin/sh\n")
    (directory / "spec.json").write_text(json.dumps(SPEC))
    return directory


def built(
    directory: Path,
    *,
    compression: Compression = Compression.NONE,
    level: int | None = None,
    runner: Runner = run,
    said: list[str] | None = None,
) -> ImageReport:
    return build(
        directory / "spec.json",
        directory / "root",
        directory / "image",
        compression=compression,
        level=level,
        packages={"app": directory / "app"},
        manifest=directory / "manifest.json",
        run=runner,
        say=(said if said is not None else []).append,
    )


def test_what_is_in_the_image(tmp_path: Path) -> None:
    said: list[str] = []
    report = built(prepare(tmp_path / "one"), said=said)
    found = {read.name: read for read in unpack((tmp_path / "one" / "image").read_bytes())}
    names = [name for name in found if "python3.99/" not in name]
    assert names == [
        "bin", "bin/busybox", "bin/sh", "dev", "dev/console", "etc", "etc/hostname", "etc/os-release", "init", "lib",
        "tmp", "usr", "usr/bin", "usr/bin/python3.99", "usr/lib", "usr/lib/libz.so.1", "usr/lib/modules",
        "usr/lib/modules/6.1", "usr/lib/modules/6.1/kernel", "usr/lib/modules/6.1/kernel/ext4.ko",
        "usr/lib/modules/6.1/modules.alias", "usr/lib/modules/6.1/modules.builtin", "usr/lib/modules/6.1/modules.dep",
        "usr/lib/modules/6.1/modules.softdep", "usr/lib/python3.99", "usr/sbin", "usr/sbin/kexec",
    ]  # fmt: skip
    assert oct(found["init"].mode) == "0o100755"
    assert oct(found["tmp"].mode) == "0o41777"
    assert found["lib"].data == b"usr/lib"
    assert found["etc/hostname"].data == b"chainboot\n"
    assert found["usr/lib/python3.99/app/__init__.py"].data == b"import sys\n"
    assert said == [
        "following the imports of app",
        "no modules.dep for 6.1: reading 1 kernel modules",
        f"writing {len(found)} entries (none)",
    ]
    assert report.release == "6.1"
    assert report.notes[1] == "optional kernel modules that 6.1 does not have: isofs"


def test_files_beyond_the_spec(tmp_path: Path) -> None:
    directory = prepare(tmp_path / "one")
    report = build(
        directory / "spec.json",
        directory / "root",
        directory / "image",
        compression=Compression.NONE,
        level=None,
        packages={"app": directory / "app"},
        manifest=directory / "manifest.json",
        run=run,
        say=lambda _: None,
        additions=[AddedFile("/etc/chainboot/host_key", 0o600, b"secret", "--host-key")],
    )
    found = {read.name: read for read in unpack((directory / "image").read_bytes())}
    assert (found["etc/chainboot/host_key"].data, oct(found["etc/chainboot/host_key"].mode)) == (b"secret", "0o100600")
    entries = {entry["path"]: entry for entry in json.loads((directory / "manifest.json").read_text())["entries"]}
    assert entries["/etc/chainboot/host_key"]["because"] == "--host-key"
    assert report.notes == built(directory).notes


def test_the_same_bytes_from_another_place_time_and_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = built(prepare(tmp_path / "one"))
    old = os.umask(0o077)
    try:
        second_directory = prepare(tmp_path / "two")
        for path in second_directory.rglob("*"):
            os.utime(path, (1, 1), follow_symlinks=False)
        monkeypatch.chdir(second_directory / "app")
        second = built(second_directory)
    finally:
        os.umask(old)
    assert (second_directory / "image").read_bytes() == (tmp_path / "one" / "image").read_bytes()
    assert first.sha256 == second.sha256
    assert (second_directory / "image").stat().st_mode & 0o777 == 0o644


def test_the_report_adds_up(tmp_path: Path) -> None:
    directory = prepare(tmp_path / "one")
    report = built(directory, compression=Compression.GZIP)
    image = (directory / "image").read_bytes()
    archive = gzip.decompress(image)
    assert report.sha256 == hashlib.sha256(image).hexdigest()
    assert (report.unpacked, report.packed) == (len(archive), len(image))
    assert sum(group.size for group in report.groups) == sum(
        len(read.data) for read in unpack(archive) if read.mode >> 12 == 0o10
    )
    assert [group.size for group in report.groups] == sorted((group.size for group in report.groups), reverse=True)
    lines = report.describe().splitlines()
    assert lines[0] == f"{directory / 'image'}: x86_64, kernel modules for 6.1"
    assert [line.split()[0] for line in lines[1:]] == [
        *[group.name.split()[0] for group in report.groups],
        "archive",
        "compressed",
        "note:",
        "note:",
    ]
    manifest = json.loads((directory / "manifest.json").read_text())
    entries = {entry["path"].lstrip("/"): entry for entry in manifest["entries"]}
    for read in unpack(archive):
        entry = entries.pop(read.name)
        if entry["kind"] == "file":
            assert (entry["size"], entry["sha256"]) == (len(read.data), hashlib.sha256(read.data).hexdigest())
        assert entry["because"]
    assert not entries
    assert manifest["kernel_release"] == "6.1"


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    directory = prepare(tmp_path / "one")
    (directory / "image").write_text("the old one")
    failing = FakeRunner({"zstd": Completed((), 1, stderr="no space left")})
    with pytest.raises(ProcessError) as refused:
        built(directory, compression=Compression.ZSTD, runner=failing)
    assert str(refused.value) == "zstd exited with 1: no space left"
    assert (directory / "image").read_text() == "the old one"
    assert sorted(path.name for path in directory.iterdir()) == ["app", "image", "init", "root", "spec.json"]


@pytest.mark.parametrize(("level", "argument"), [(None, "-19"), (3, "-3")])
def test_how_zstd_is_called(tmp_path: Path, level: int | None, argument: str) -> None:
    calls: list[tuple[str, ...]] = []

    def zstd(argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        assert check
        assert timeout is None
        calls.append(tuple(argv))
        shutil.copy(argv[-1], argv[-2])
        return Completed(tuple(argv), 0)

    write_archive([b"a", b"b"], tmp_path / "image", Compression.ZSTD, level, zstd)
    assert [call[:5] for call in calls] == [("zstd", "-q", argument, "--single-thread", "-o")]
    assert (tmp_path / "image").read_bytes() == b"ab"


def test_gzip_says_nothing_of_name_and_time(tmp_path: Path) -> None:
    write_archive([b"a"], tmp_path / "image", Compression.GZIP, None, FakeRunner())
    # RFC 1952: magic, deflate, no flags (so no name), no time
    assert (tmp_path / "image").read_bytes()[:8] == b"\x1f\x8b\x08\0\0\0\0\0"


@pytest.mark.parametrize(
    ("compression", "level", "words"),
    [
        (Compression.ZSTD, 20, "zstd has the levels 1 to 19, not 20"),
        (Compression.ZSTD, 0, "zstd has the levels 1 to 19, not 0"),
        (Compression.GZIP, 10, "gzip has the levels 1 to 9, not 10"),
        (Compression.NONE, 1, "there is no level without compression"),
    ],
)
def test_levels(tmp_path: Path, compression: Compression, level: int, words: str) -> None:
    with pytest.raises(ChainbootError) as refused:
        built(prepare(tmp_path / "one"), compression=compression, level=level)
    assert str(refused.value) == words


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    directory = prepare(tmp_path / "one")
    (directory / "init").unlink()
    with pytest.raises(ChainbootError) as no_source:
        built(directory)
    assert str(no_source.value) == "files[0].source: init cannot be read: No such file or directory"
    (directory / "spec.json").unlink()
    with pytest.raises(ChainbootError) as no_spec:
        built(directory)
    assert str(no_spec.value) == f"the image spec {directory / 'spec.json'} cannot be read: No such file or directory"
    (directory / "spec.json").write_bytes(b"\xff")
    with pytest.raises(ChainbootError) as no_text:
        built(directory)
    assert str(no_text.value) == f"the image spec {directory / 'spec.json'} is not UTF-8"


@pytest.mark.parametrize(
    ("packages", "words"),
    [
        ({}, "python.packages[0]: the image spec does not say where the Python package app is"),
        (
            {"app": Path("/x"), "other": Path("/x")},
            "the image spec has no Python package other to give a directory for",
        ),
    ],
)
def test_packages_are_given_for_what_the_spec_names(tmp_path: Path, packages: dict[str, Path], words: str) -> None:
    directory = prepare(tmp_path / "one")
    with pytest.raises(ChainbootError) as refused:
        build(
            directory / "spec.json",
            directory / "root",
            directory / "image",
            compression=Compression.NONE,
            level=None,
            packages=packages,
            manifest=None,
            run=FakeRunner(),
            say=lambda _: None,
        )
    assert str(refused.value) == words


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ChainbootError) as refused:
        write_archive([b"a"], tmp_path / "none" / "image", Compression.NONE, None, FakeRunner())
    assert str(refused.value) == f"{tmp_path / 'none' / 'image'} cannot be written: No such file or directory"


@pytest.mark.parametrize(("config", "noted"), [("CONFIG_KEXEC=y\n", False), ("CONFIG_MODULES=y\n", True)])
def test_a_kernel_that_cannot_start_another_one_is_noted(tmp_path: Path, config: str, noted: bool) -> None:
    directory = prepare(tmp_path / "a")
    write_sysroot(directory / "root", {"/boot/config-6.1": config})
    notes = [note for note in built(directory).notes if note.startswith("/boot/config-6.1: this kernel cannot start")]
    assert bool(notes) == noted
