"""Entries with their files: resolution, reasons, and which entry a reference means."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernels import bzimage
from nixos import INITRD, KERNEL, usual_conf, write_root

from chainboot.boot.candidate import Candidate, candidates, choose
from chainboot.boot.volume import Volume, read_configuration
from chainboot.errors import NotFoundError


def read(root: Path, path: str = "/boot/extlinux/extlinux.conf") -> tuple[Candidate, ...]:
    return candidates([read_configuration(Volume(str(root), "disk"), path)])


def one(tmp_path: Path, body: str) -> Candidate:
    root = write_root(tmp_path / "disk", f"LABEL x\n{body}\n")
    return read(root)[0]


def test_nixos_paths_are_resolved_inside_the_volume(nixos_root: Path) -> None:
    first = read(nixos_root)[0]
    assert first.kernel is not None
    assert first.kernel.path == f"/boot/nixos/{KERNEL}"
    assert first.kernel.host == f"{nixos_root}/boot/nixos/{KERNEL}"
    assert [initrd.path for initrd in first.initrds] == [f"/boot/nixos/{INITRD}"]
    assert first.default
    assert first.bootable


def test_a_boot_partition_of_its_own(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", usual_conf(), boot="")
    (first, *_) = read(root, "/extlinux/extlinux.conf")
    assert first.kernel is not None
    assert first.kernel.path == f"/nixos/{KERNEL}"
    assert first.bootable


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("LINUX ../nixos/gone", "kernel: /boot/nixos/gone does not exist"),
        ("LINUX ../../../../etc/shadow", "kernel: /etc/shadow does not exist"),
        ("LINUX ../nixos", "kernel: /boot/nixos is a directory, not a file"),
        (f"LINUX ../nixos/{KERNEL}\nINITRD ../nixos", "initrd: /boot/nixos is a directory, not a file"),
        (f"LINUX ../nixos/{KERNEL}\nINITRD ../nixos/gone", "initrd: /boot/nixos/gone does not exist"),
        ("APPEND x", "the entry names no kernel"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, body: str, reason: str) -> None:
    assert one(tmp_path, body).reasons == (reason,)


def test_a_link_out_of_the_volume_is_no_kernel(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"kernel")
    root = write_root(tmp_path / "disk", "LABEL x\nLINUX ../nixos/link\n")
    (root / "boot/nixos/link").symlink_to(tmp_path / "outside")
    (reason,) = read(root)[0].reasons
    assert reason.startswith("kernel: /boot/nixos/link is a symbolic link to ")
    assert reason.endswith("does not exist in it")


def test_a_comma_list_is_several_initrds_unless_a_file_has_that_name(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", f"LABEL x\nLINUX ../nixos/{KERNEL}\nINITRD ../nixos/a,../nixos/b\n")
    for name in ("a", "b"):
        (root / "boot/nixos" / name).write_text(name)
    assert [initrd.path for initrd in read(root)[0].initrds] == ["/boot/nixos/a", "/boot/nixos/b"]
    (root / "boot/nixos/a,..").mkdir()
    (root / "boot/nixos/a,../nixos").mkdir()
    (root / "boot/nixos/a,../nixos/b").write_text("one file")
    assert [initrd.path for initrd in read(root)[0].initrds] == ["/boot/nixos/a,../nixos/b"]


def test_words_after_the_kernel_are_arguments_unless_a_file_has_that_name(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", "LABEL x\nLINUX ../nixos/k scripts=yes  a\nAPPEND b\n")
    (root / "boot/nixos/k").write_text("kernel")
    candidate = read(root)[0]
    assert candidate.cmdline == "scripts=yes  a b"
    (root / "boot/nixos/k scripts=yes  a").write_text("kernel with blanks")
    assert read(root)[0].cmdline == "b"


def test_arguments_after_the_label_in_default_go_to_the_default_entry(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", f"DEFAULT x rescue\nLABEL x\nLINUX ../nixos/{KERNEL}\nAPPEND quiet\n")
    assert read(root)[0].cmdline == "quiet rescue"


@pytest.mark.parametrize(("boot", "path"), [("boot/", "/nixos/"), ("", "/boot/nixos/")])
def test_absolute_paths_of_the_other_layout_are_understood(tmp_path: Path, boot: str, path: str) -> None:
    root = write_root(tmp_path / "disk", f"LABEL x\nLINUX {path}{KERNEL}\n", boot=boot)
    (candidate,) = read(root, f"/{boot}extlinux/extlinux.conf")
    assert candidate.kernel is not None
    assert candidate.kernel.path == f"/{boot}nixos/{KERNEL}"


def test_append_is_verbatim(tmp_path: Path) -> None:
    text = "dyndbg=\"file x +p\" semi;colon pipe|x root=LABEL=a#b $HOME `id` \\ 'q'"
    assert one(tmp_path, f"LINUX ../nixos/{KERNEL}\nAPPEND {text}").cmdline == text


@pytest.mark.parametrize(
    ("reference", "label"),
    [
        (None, "nixos-default"),
        ("nixos-40-default", "nixos-40-default"),
        ("3", "nixos-42-hardened"),
        ("07", "nixos-38-default"),
    ],
)
def test_choose(nixos_root: Path, reference: str | None, label: str) -> None:
    assert choose(read(nixos_root), reference).entry.label == label


@pytest.mark.parametrize("reference", ["0", "8", "nixos-7", "", "-1", "٣", "9" * 40, "0000000001"])
def test_choose_refuses_what_is_not_there(nixos_root: Path, reference: str) -> None:
    with pytest.raises(NotFoundError, match=f"there is no entry {reference}"):
        choose(read(nixos_root), reference)


def test_a_label_beats_a_number(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", "LABEL a\nLABEL 1\nLABEL 1\n")
    assert choose(read(root), "1").index == 2


def test_no_default_is_said(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", "LABEL a\n")
    with pytest.raises(NotFoundError, match="there is no default entry"):
        choose(read(root), None)


def test_numbers_go_on_over_several_configurations(nixos_root: Path, tmp_path: Path) -> None:
    second = write_root(tmp_path / "second", "LABEL z\nLINUX k\n")
    both = [
        read_configuration(Volume(str(root), "disk"), "/boot/extlinux/extlinux.conf") for root in (nixos_root, second)
    ]
    found = candidates(both)
    assert [candidate.index for candidate in found] == list(range(1, 9))
    assert [candidate.index for candidate in found if candidate.default] == [1]


@pytest.mark.parametrize(
    ("keyword", "content", "reason"),
    [
        ("KERNEL", bzimage(), None),
        ("KERNEL", b"a boot sector", "kernel: /boot/nixos/install.bin: the file is not a Linux kernel image"),
        ("LINUX", b"whatever", None),
    ],
)
def test_a_bin_file_is_a_kernel_if_it_looks_like_one(
    tmp_path: Path, keyword: str, content: bytes, reason: str | None
) -> None:
    root = write_root(tmp_path / "disk", f"LABEL x\n{keyword} ../nixos/install.bin\n")
    (root / "boot/nixos/install.bin").write_bytes(content)
    assert read(root)[0].reasons == (() if reason is None else (reason,))


def test_more_initrds_than_there_can_be_are_not_looked_for(tmp_path: Path) -> None:
    candidate = one(tmp_path, f"LINUX ../nixos/{KERNEL}\nINITRD {','.join('abc' for _ in range(33))}")
    assert candidate.reasons == ("initrd: 33 files are named, and 32 is the most there can be",)
    assert len(one(tmp_path / "second", f"LINUX k\nINITRD {','.join('abc' for _ in range(32))}").initrds) == 32
