"""What forbids a boot is said before anything is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kernels import arm64_image, bzimage, s390x_image, vmlinux
from nixos import INITRD, KERNEL

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.host import Host
from chainboot.boot.preflight import host_objections, host_remarks, objections
from chainboot.boot.volume import Volume, read_configuration

HOST = Host("x86_64", True, True, False, False, False, 1 << 30)


@pytest.fixture
def candidate(nixos_root: Path) -> Candidate:
    return read(nixos_root)


def read(root: Path) -> Candidate:
    return candidates([read_configuration(Volume(str(root), "disk"), "/boot/extlinux/extlinux.conf")])[0]


def with_initrd(root: Path, size: int) -> Candidate:
    """The first entry, with an initrd of this many bytes."""
    (root / "boot/nixos" / INITRD).write_bytes(bytes(size))
    return read(root)


def test_a_sound_entry_has_none(candidate: Candidate) -> None:
    assert objections(candidate, candidate.cmdline, HOST) == ()


@pytest.mark.parametrize(
    ("image", "objection"),
    [
        (bzimage()[:-1], "the kernel image is cut off: 1039 bytes of 1040"),
        (s390x_image()[:70000], "the kernel image is cut off: 70000 bytes of at least 98993"),
        (b"not a kernel", "the file is not a Linux kernel image"),
        (b"", "the file is empty"),
    ],
)
def test_a_bad_image(nixos_root: Path, image: bytes, objection: str) -> None:
    (nixos_root / "boot/nixos" / KERNEL).write_bytes(image)
    found = read(nixos_root)
    assert objections(found, found.cmdline, HOST) == (f"kernel: /boot/nixos/{KERNEL}: {objection}",)


def test_a_kernel_of_another_machine(nixos_root: Path) -> None:
    (nixos_root / "boot/nixos" / KERNEL).write_bytes(arm64_image())
    found = read(nixos_root)
    assert objections(found, "", HOST) == (f"kernel: /boot/nixos/{KERNEL} is for aarch64, this machine is x86_64",)


@pytest.mark.parametrize(("length", "fits"), [(2047, True), (2048, False)])
def test_the_command_line_limit_of_the_image(candidate: Candidate, length: int, fits: bool) -> None:
    found = objections(candidate, "é" + "x" * (length - 2), HOST)
    assert found == (() if fits else (f"the command line has {length} bytes, and this kernel takes 2047",))


def test_what_does_not_fit_into_memory(candidate: Candidate) -> None:
    assert objections(candidate, "", replace(HOST, memory_available=100)) == (
        "kernel and initrd need 0 MiB of memory, 0 MiB are free",
    )
    assert objections(candidate, "", replace(HOST, memory_available=None)) == ()


def test_the_kernel_takes_no_more_than_half_of_all_memory(nixos_root: Path) -> None:
    candidate = with_initrd(nixos_root, 3 << 20)
    assert candidate.kernel
    needed = candidate.kernel.size + (3 << 20)
    assert objections(candidate, "", replace(HOST, memory_total=2 * needed)) == ()
    refused = "kernel and initrd need 3 MiB of memory, and kexec takes no more than half of this machine's 6 MiB"
    host = replace(HOST, memory_total=2 * needed - 1)
    assert objections(candidate, "", host) == (refused,)
    assert objections(candidate, "", replace(host, memory_available=1)) == (refused,), "the one that no wait changes"


def test_an_elf_kernel_is_read_whole_and_takes_less(nixos_root: Path) -> None:
    """Most of the file may be debugging information."""
    (nixos_root / "boot/nixos" / KERNEL).write_bytes(vmlinux() + bytes(9 << 20))
    candidate = with_initrd(nixos_root, 1 << 20)
    assert candidate.image().kind == "vmlinux"
    assert objections(candidate, "", replace(HOST, memory_total=4 << 20)) == ()
    assert objections(candidate, "", replace(HOST, memory_total=1 << 20)) == (
        "kernel and initrd need 1 MiB of memory, and kexec takes no more than half of this machine's 1 MiB",
    )
    assert objections(candidate, "", replace(HOST, memory_available=8 << 20)) == (
        "kernel and initrd need 10 MiB of memory, 8 MiB are free",
    )


def test_a_file_that_vanished_is_an_objection(nixos_root: Path, candidate: Candidate) -> None:
    (nixos_root / "boot/nixos" / KERNEL).unlink()
    assert objections(candidate, "", HOST) == (f"kernel: /boot/nixos/{KERNEL} does not exist",)


def test_missing_files_are_objections(nixos_root: Path) -> None:
    (nixos_root / "boot/nixos" / KERNEL).unlink()
    found = read(nixos_root)
    assert objections(found, "", HOST) == found.reasons


@pytest.mark.parametrize(
    ("change", "objection"),
    [
        (
            {"kexec_supported": False},
            "the running kernel has no kexec (no /sys/kernel/kexec_loaded): "
            "start this machine with one that has CONFIG_KEXEC or CONFIG_KEXEC_FILE",
        ),
        ({"kexec_disabled": True}, "kexec is switched off until the next boot (kernel.kexec_load_disabled is 1)"),
        ({"loads_left": 0}, "kexec is switched off until the next boot (kernel.kexec_load_limit_reboot is 0)"),
        ({"root": False}, "only root may load a kernel"),
    ],
)
def test_a_machine_that_cannot_kexec(change: dict[str, int], objection: str) -> None:
    host = replace(HOST, **change)
    assert host_objections(host) == (objection,)
    assert host_remarks(replace(host, lockdown="integrity", secure_ipl=True)) == (), "the objection says it all"
    assert host_objections(HOST) == ()


@pytest.mark.parametrize(
    ("change", "remark"),
    [
        (
            {"lockdown": "integrity"},
            "the running kernel is locked down (integrity): it boots only signed kernels that it trusts",
        ),
        (
            {"lockdown": "confidentiality"},
            "the running kernel is locked down (confidentiality): it boots only signed kernels that it trusts",
        ),
        ({"secure_ipl": True}, "this machine was started by secure IPL: it boots only signed kernels that it trusts"),
        ({"loads_left": 1}, "a kernel can be loaded or unloaded once more (kernel.kexec_load_limit_reboot)"),
        ({"loads_left": 7}, "a kernel can be loaded or unloaded 7 times more (kernel.kexec_load_limit_reboot)"),
    ],
)
def test_what_will_be_refused_is_a_remark_and_no_objection(change: dict[str, int | str], remark: str) -> None:
    assert host_remarks(replace(HOST, **change)) == (remark,)
    assert host_objections(replace(HOST, **change)) == ()
    assert host_remarks(HOST) == ()
