"""What ELF files say: of any machine, of this machine's own Python, and when damaged."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest
from image.elf_files import elf_file

from chainboot.architecture import ARCHITECTURES, S390X, X86_64, Architecture
from chainboot.errors import ChainbootError
from chainboot.image.architecture import require_architecture
from chainboot.image.elf import Linkage, builtin_modules, read_linkage, read_section


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda row: row.name)
def test_linkage_is_read_for_every_machine(architecture: Architecture) -> None:
    data = elf_file(
        architecture, needed=("liba.so.1", "libb.so"), interpreter="/lib/ld.so", rpath="/r:/s", runpath="$ORIGIN/../lib"
    )
    assert read_linkage(data, "x") == Linkage("/lib/ld.so", ("liba.so.1", "libb.so"), ("/r", "/s"), ("$ORIGIN/../lib",))


def test_a_static_program_needs_nothing() -> None:
    assert read_linkage(elf_file(), "x") == Linkage(None, (), (), ())


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda row: row.name)
def test_sections(architecture: Architecture) -> None:
    data = elf_file(architecture, modinfo=["depends=a,b", "alias=x"])
    assert read_section(data, ".modinfo", "x") == b"depends=a,b\0alias=x\0"
    assert read_section(data, ".text", "x") == b""
    assert read_section(elf_file(architecture), ".modinfo", "x") == b""


@pytest.mark.parametrize("length", [4, 20, 63, 64, 100, 200, 300])
def test_a_file_that_was_cut_off_is_refused(length: int) -> None:
    data = elf_file(needed=("liba.so.1",), modinfo=["depends="])[:length]
    with pytest.raises(ChainbootError, match=r"^x is a damaged ELF file: "):
        read_linkage(data, "x")
    with pytest.raises(ChainbootError, match=r"^x is a damaged ELF file: it ends too early$"):
        read_section(data, ".modinfo", "x")


def test_another_machine_is_named() -> None:
    with pytest.raises(ChainbootError) as refused:
        require_architecture(elf_file(S390X), X86_64, "/bin/a")
    assert str(refused.value) == "/bin/a is for s390x (64 bit, big endian), and the image is for x86_64"
    unknown = bytearray(elf_file())
    unknown[4], unknown[18] = 1, 3  # ELFCLASS32, EM_386
    with pytest.raises(ChainbootError) as unheard:
        require_architecture(bytes(unknown), X86_64, "/bin/a")
    assert str(unheard.value) == "/bin/a is for machine 3 (32 bit, little endian), and the image is for x86_64"
    require_architecture(b"#!/bin/sh", X86_64, "a script")


def test_the_modules_built_into_this_python() -> None:
    """The running interpreter knows the truth about itself."""
    program = Path(sys.executable).resolve()
    names = builtin_modules(program.read_bytes(), str(program))
    if names is None:  # linked with a libpython
        library = Path(sysconfig.get_config_var("LIBDIR")) / str(sysconfig.get_config_var("INSTSONAME"))
        names = builtin_modules(library.read_bytes(), str(library))
    assert names is not None
    assert set(names) == set(sys.builtin_module_names)


@pytest.mark.parametrize("relocated", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda row: row.name)
def test_the_modules_built_into_another_machines_python(architecture: Architecture, relocated: bool) -> None:
    data = elf_file(architecture, inittab=["sys", "posix", "_io"], relocated=relocated)
    assert builtin_modules(data, "x") == ("sys", "posix", "_io")


def test_a_program_that_is_no_python() -> None:
    assert builtin_modules(elf_file(), "x") is None
