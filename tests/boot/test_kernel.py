"""Kernel headers: what is read from them, and that cut or foreign files are told apart."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels import arm64_image, bzimage, s390x_image

from chainboot.boot.kernel import HEAD_SIZE, KernelImage, inspect


def look(data: bytes) -> KernelImage:
    return inspect(data[:HEAD_SIZE], len(data))


def test_a_bzimage_tells_machine_version_and_command_line_limit() -> None:
    assert look(bzimage("6.1.0-18-amd64")) == KernelImage("x86_64", "bzImage", "6.1.0-18-amd64", 2047)


def test_an_old_bzimage_takes_255_bytes() -> None:
    assert look(bzimage(protocol=0x205)).command_line_limit == 255


def test_a_32_bit_bzimage_is_not_for_x86_64() -> None:
    image = bytearray(bzimage())
    image[0x236] = 0
    assert look(bytes(image)).machine == "i386"


@pytest.mark.parametrize("length", [0x206, 0x250, 1024, 1024 + 15])
def test_a_bzimage_that_is_cut_off_is_found(length: int) -> None:
    problem = look(bzimage(body=16)[:length]).problem
    assert problem is not None
    assert problem.startswith("the kernel image is cut off")


def test_a_cut_bzimage_says_how_much_is_there() -> None:
    assert look(bzimage(body=160)[:-1]).problem == "the kernel image is cut off: 1183 bytes of 1184"


def test_other_machines_are_recognised() -> None:
    assert look(arm64_image()).machine == "aarch64"
    assert look(s390x_image(limit=0)) == KernelImage("s390x", "image", command_line_limit=895)
    assert look(s390x_image(limit=4096)).command_line_limit == 4095
    assert look(b"\x7fELF\x02\x02\x01" + bytes(11) + b"\x00\x16" + bytes(60)) == KernelImage("s390x", "vmlinux")
    assert look(b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\x00" + bytes(60)) == KernelImage("x86_64", "vmlinux")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the file is empty"),
        (b"hello", "the file is not a Linux kernel image"),
        (gzip.compress(b"x"), "the file is a gzip file, not a kernel"),
        (b"070701" + bytes(200), "the file is a cpio archive, such as an initrd, not a kernel"),
        (b"#!/bin/sh\n", "the file is a script, not a kernel"),
        (bytes(HEAD_SIZE), "the file is not a Linux kernel image"),
    ],
)
def test_a_file_that_is_no_kernel_is_named(data: bytes, problem: str) -> None:
    assert look(data).problem == problem


@given(st.binary(max_size=200), st.sampled_from([bzimage(), arm64_image(), s390x_image()]), st.integers(0, HEAD_SIZE))
def test_no_bytes_make_it_raise(junk: bytes, image: bytes, at: int) -> None:
    look(junk)
    look(image[:at])
    look(image[:at] + junk + image[at + len(junk) :])
