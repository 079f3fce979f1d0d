"""What forbids a boot is said before anything is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kernels import arm64_image, bzimage
from nixos import KERNEL

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.host import Host, read_host
from chainboot.boot.preflight import host_objections, objections
from chainboot.boot.volume import Volume, read_configuration

HOST = Host("x86_64", True, True, False, False, False, 1 << 30)


@pytest.fixture
def candidate(nixos_root: Path) -> Candidate:
    return read(nixos_root)


def read(root: Path) -> Candidate:
    return candidates([read_configuration(Volume(str(root), "disk"), "/boot/extlinux/extlinux.conf")])[0]


def test_a_sound_entry_has_none(candidate: Candidate) -> None:
    assert objections(candidate, candidate.cmdline, HOST) == ()


@pytest.mark.parametrize(
    ("image", "objection"),
    [
        (bzimage()[:-1], "the kernel image is cut off: 1039 bytes of 1040"),
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
        ({"kexec_supported": False}, "the running kernel has no kexec (no /sys/kernel/kexec_loaded)"),
        ({"kexec_disabled": True}, "kexec is switched off until the next boot (kernel.kexec_load_disabled is 1)"),
        ({"root": False}, "only root may load a kernel"),
    ],
)
def test_a_machine_that_cannot_kexec(change: dict[str, bool], objection: str) -> None:
    assert host_objections(replace(HOST, **change)) == (objection,)
    assert host_objections(HOST) == ()


def test_facts_of_the_machine_are_read(tmp_path: Path) -> None:
    for name, text in {
        "sys/kernel/kexec_loaded": "1\n",
        "proc/sys/kernel/kexec_load_disabled": "1\n",
        "proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    2048 kB\n",
        "run/systemd/system/x": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    host = read_host(str(tmp_path))
    assert (host.kexec_supported, host.kexec_disabled, host.kexec_loaded, host.systemd) == (True, True, True, True)
    assert host.memory_available == 2048 * 1024
    nothing = read_host(str(tmp_path / "none"))
    assert (nothing.kexec_supported, nothing.kexec_disabled, nothing.memory_available) == (False, False, None)
