"""Kernel images: what is read from them, and that cut, damaged and foreign files are told apart."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels import arm64_image, bzimage, s390x_image, vmlinux, zboot_image

from chainboot.boot.kernel import HEAD_SIZE, KernelImage, inspect


def look(data: bytes) -> KernelImage:
    """The verdict of a caller that can read more than the head."""
    return inspect(data[:HEAD_SIZE], len(data), lambda at, length: data[at : at + length])


def put(data: bytes, at: int, layout: str, *values: int) -> bytes:
    """`data` with numbers written over it."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, at, *values)
    return bytes(changed)


@dataclass(frozen=True)
class Format:
    """A format: an image, where its magic stands, and how much of the file the header promises."""

    image: bytes
    magic: tuple[int, int]
    verdict: KernelImage
    promised: int


FORMATS = {
    "bzImage": Format(
        bzimage("6.1.0-18-amd64", body=4096),
        (0x202, 0x206),
        KernelImage("x86_64", "bzImage", "6.1.0-18-amd64", 2047),
        1024 + 4096,
    ),
    "arm64": Format(arm64_image(), (0x38, 0x3C), KernelImage("aarch64", "Image", None, 2047), 4096),
    "arm64 EFI": Format(
        arm64_image(efi=True, body=8192), (0x38, 0x3C), KernelImage("aarch64", "Image", None, 2047), 4096 + 8192
    ),
    "zboot": Format(zboot_image(payload=100), (4, 8), KernelImage("aarch64", "zboot"), 4096 + 100),
    "s390x": Format(
        s390x_image(), (0x10008, 0x1000E), KernelImage("s390x", "image", "6.1.0-50-s390x", 4095), len(s390x_image())
    ),
    "s390x 4.19": Format(
        s390x_image(None, 0, end=b""), (0x10008, 0x1000E), KernelImage("s390x", "image", None, 895), 0x11000
    ),
    "vmlinux": Format(vmlinux(), (0, 4), KernelImage("x86_64", "vmlinux"), 64 + 56 + 64),
    "vmlinux 32": Format(vmlinux(0x14, big=True, wide=False), (0, 4), KernelImage("ppc", "vmlinux"), 52 + 32 + 64),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_whole_image_says(name: str) -> None:
    assert look(FORMATS[name].image) == FORMATS[name].verdict


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_an_image_that_is_shorter_than_it_promises_is_cut_off(name: str, data: st.DataObject) -> None:
    promised = FORMATS[name].promised
    near = [edge for edge in (0x60, 0x220, 0x270, 0x10020, 0x10440, 0x11010, 0x182D0, promised) if edge <= promised]
    edge = data.draw(st.sampled_from(near))
    length = data.draw(st.one_of(st.integers(1, promised - 1), st.integers(edge - 0x40, edge - 1)))
    verdict = look(FORMATS[name].image[:length])
    assert verdict.problem is not None
    begun = FORMATS[name].magic[1] <= length or name.startswith("s390x")
    if begun and length >= 0x50:
        assert verdict.problem.startswith("the kernel image is cut off"), "and not only that it is no kernel"


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_a_bit_that_flips_in_the_magic_number_is_refused(name: str, data: st.DataObject) -> None:
    case = FORMATS[name]
    at, bit = data.draw(st.integers(case.magic[0], case.magic[1] - 1)), data.draw(st.integers(0, 7))
    assert look(put(case.image, at, "B", case.image[at] ^ 1 << bit)).problem is not None


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_no_bit_that_flips_makes_it_raise(name: str, data: st.DataObject) -> None:
    image = FORMATS[name].image[: data.draw(st.sampled_from([len(FORMATS[name].image), 0x10438, 0x400, 0x60]))]
    at = data.draw(st.one_of(st.integers(0, min(len(image), 0x400) - 1), st.integers(0, len(image) - 1)))
    flipped = put(image, at, "B", image[at] ^ 1 << data.draw(st.integers(0, 7)))
    assert look(flipped) == look(flipped)
    assert inspect(flipped[:HEAD_SIZE], len(flipped)).machine == look(flipped).machine


@given(st.binary(max_size=200), st.sampled_from([case.image for case in FORMATS.values()]), st.integers(0, HEAD_SIZE))
def test_no_bytes_make_it_raise(junk: bytes, image: bytes, at: int) -> None:
    look(junk)
    look(image[:at])
    look(image[:at] + junk + image[at + len(junk) :])
    inspect(image[:at], len(image))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (bzimage(body=160)[:-1], "the kernel image is cut off: 1183 bytes of 1184"),
        (bzimage()[:0x250], "the kernel image is cut off after 592 bytes"),
        (b"MZ" + bzimage()[2:0x200], "the file is cut off after 512 bytes, or no kernel"),
        (put(bzimage(), 0x1FE, "<H", 0), "the kernel image is damaged: its boot sector has no 55 AA at 0x1FE"),
        (bzimage(protocol=0x105), "the kernel uses boot protocol 1.05, which is too old for kexec"),
        (arm64_image()[:4095], "the kernel image is cut off: 4095 bytes of 4096"),
        (arm64_image(efi=True, body=8192)[:-1], "the kernel image is cut off: 12287 bytes of 12288"),
        (zboot_image()[:8], "the kernel image is cut off: 8 bytes of 64"),
        (zboot_image(payload=8)[:-1], "the kernel image is cut off: 4103 bytes of 4104"),
        (vmlinux()[:-1], "the kernel image is cut off: 183 bytes of 184"),
        (vmlinux(0x16, big=True)[:-1], "the kernel image is cut off: 183 bytes of 184"),
        (put(vmlinux(), 0x28, "<Q", 4096), "the kernel image is cut off: 184 bytes of 4096"),
        (
            put(put(vmlinux(body=256), 0x38, "<H", 2), 64 + 56 + 32, "<Q", 4096),  # a second program header
            "the kernel image is cut off: 376 bytes of 4096",
        ),
        (s390x_image()[:0x100], "the kernel image is cut off: 256 bytes of at least 69632"),
        (s390x_image()[:0x10438], "the kernel image is cut off: 66616 bytes of at least 98993"),
        (s390x_image()[:0x182B0], "the kernel image is cut off: 98992 bytes of at least 98993"),
        (s390x_image(None, 1 << 20), "the kernel image is cut off: 102400 bytes of at least 1115264"),
        (s390x_image()[:-1], "the kernel image is cut off or damaged: its 102399 bytes do not end as a kernel does"),
        (
            s390x_image()[:-16] + bytes(16),
            "the kernel image is cut off or damaged: its 102400 bytes do not end as a kernel does",
        ),
        (
            s390x_image()[:0x11000] + bytes(0x8000),
            "the kernel image is cut off or damaged: it has no version at byte 98992",
        ),
    ],
)
def test_a_cut_image_says_what_there_is(data: bytes, problem: str) -> None:
    assert look(data).problem == problem


@pytest.mark.parametrize(("limit", "at"), [(895, 0), ((1 << 20) + 1, 0), (1 << 63, 0x182B0), (4096, 1 << 24)])
def test_an_s390x_header_that_makes_no_sense_is_damage(limit: int, at: int) -> None:
    said = f"it says that it takes {limit} bytes of command line, and has its version at byte {at}"
    assert look(put(s390x_image(), 0x10428, ">QQ", at, limit)).problem == f"the kernel image is damaged: {said}"


def test_an_s390x_start_without_its_magic_number_is_damage() -> None:
    verdict = look(put(s390x_image(), 0x10008, "B", 0))
    assert (verdict.machine, verdict.problem) == ("s390x", "the kernel image is damaged: it has no S390EP at 0x10008")


@pytest.mark.parametrize(("limit", "taken"), [(0, 895), (896, 895), (4096, 4095), (1 << 16, 65535)])
def test_the_command_line_limit_of_s390x_counts_the_final_nul(limit: int, taken: int) -> None:
    assert look(s390x_image(limit=limit)).command_line_limit == taken


@pytest.mark.parametrize(
    ("version", "marked"),
    [("6.1.0", True), ("6.12.3-rc1", True), ("10.0", True), ("6.0.19", False), ("5.14.0-70.el9", False), ("6", False)],
)
def test_the_end_of_an_s390x_kernel_is_known_from_6_1_on(version: str, marked: bool) -> None:
    assert (look(s390x_image(version, end=b"")).problem is not None) == marked
    assert look(s390x_image(version)).problem is None
    assert look(s390x_image(version, end=b"~Module signature appended~\n")).problem is None


def test_without_more_than_the_head_the_rest_of_an_s390x_kernel_is_not_judged() -> None:
    image = s390x_image(end=b"")
    assert inspect(image[:HEAD_SIZE], len(image)) == KernelImage("s390x", "image", None, 4095)


@pytest.mark.parametrize("version", ["", "6.1\x1b[2J", "6.1é", "x" * 65])
def test_a_version_that_cannot_be_shown_is_none(version: str) -> None:
    assert look(bzimage(version)) == KernelImage("x86_64", "bzImage", None, 2047)
    problem = "the kernel image is cut off or damaged: it has no version at byte 98992"
    assert look(s390x_image(version)) == KernelImage("s390x", "image", None, 4095, problem)


def test_a_bzimage_without_version_has_none() -> None:
    assert look(put(bzimage(), 0x20E, "<H", 0)).version is None


def test_an_old_bzimage_takes_255_bytes() -> None:
    assert look(bzimage(protocol=0x205)).command_line_limit == 255
    assert look(bzimage(protocol=0x206)).command_line_limit == 2047


def test_a_32_bit_bzimage_is_not_for_x86_64() -> None:
    assert look(put(bzimage(), 0x236, "B", 0)).machine == "i386"
    assert look(put(bzimage(protocol=0x20C), 0x236, "B", 0)).machine == "i386"
    assert look(put(bzimage(protocol=0x20B), 0x236, "B", 0)).machine == "x86_64", "it cannot say so yet"


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (put(bytes(4096), 0x38, "4B", *b"RSC\x05"), KernelImage("riscv64", "Image")),
        (put(bytes(4096), 0x30, "5B", *b"RISCV"), KernelImage("riscv64", "Image")),
        (vmlinux(0x15, big=True), KernelImage("ppc64", "vmlinux")),
        (vmlinux(0x1234), KernelImage("ELF machine 4660", "vmlinux")),
        (zboot_image(0x5064), KernelImage("riscv64", "zboot")),
        (zboot_image(0x9999), KernelImage(None, "zboot")),
        (put(zboot_image(0x6264), 4, "<I", 0), KernelImage("loongarch64", "EFI image")),
    ],
)
def test_kernels_of_other_machines_are_recognised(data: bytes, verdict: KernelImage) -> None:
    assert look(data) == verdict


def test_an_elf_kernel_is_none_for_kexec_on_s390x() -> None:
    problem = "the file is an ELF vmlinux, and kexec on s390x wants the raw image that is built from it"
    assert look(vmlinux(0x16, big=True)) == KernelImage("s390x", "vmlinux", problem=problem)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the file is empty"),
        (b"hello", "the file is not a Linux kernel image"),
        (gzip.compress(b"x", mtime=0), "the file is a gzip file, not a kernel"),
        (b"070701" + bytes(200), "the file is a cpio archive, such as an initrd, not a kernel"),
        (b"#!/bin/sh\n", "the file is a script, not a kernel"),
        (bytes(HEAD_SIZE), "the file is not a Linux kernel image"),
        (b"MZ" + bytes(4096), "the file is an EFI program, not a kernel"),
        (put(zboot_image(0x8664), 4, "<I", 0), "the file is an EFI program, not a kernel"),
        (
            put(vmlinux(), 0x38, "<H", 0),
            "the file is an ELF file that is no program, such as a kernel module, not a kernel",
        ),
    ],
)
def test_a_file_that_is_no_kernel_is_named(data: bytes, problem: str) -> None:
    assert look(data) == KernelImage(None, "nothing", problem=problem)


def test_a_file_that_shrank_since_it_was_looked_for_is_cut_off() -> None:
    image = s390x_image()
    assert inspect(image[:0x10020], len(image)).problem == "the kernel image is cut off: 65568 bytes of at least 69632"
    assert inspect(b"", 4096).problem == "the file is empty"
