"""Programs with further names, and programs that may be missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from image.elf_files import elf_file
from image.sysroots import write_sysroot

from chainboot.architecture import X86_64
from chainboot.errors import ChainbootError
from chainboot.image.cpio import Link
from chainboot.image.linkage import Linker
from chainboot.image.programs import add_programs
from chainboot.image.spec import ExecutableSpec
from chainboot.image.tree import ImageTree


def added(directory: Path, *programs: ExecutableSpec) -> tuple[list[str], ImageTree]:
    sysroot = write_sysroot(
        directory / "root", {"/sbin/e2fsck": elf_file(needed=("libz.so.1",)), "/lib/libz.so.1": elf_file()}
    )
    tree = ImageTree(X86_64)
    tree.add_links([("/sbin", "usr/sbin", "test")])
    return add_programs(programs, sysroot, Linker(sysroot, tree), tree), tree


def test_links_lead_to_where_the_program_is(tmp_path: Path) -> None:
    program = ExecutableSpec("executables[0]", "/sbin/e2fsck", None, ("/sbin/fsck.ext4", "/etc/fsck"), optional=True)
    notes, tree = added(tmp_path, program)
    links = {entry.path: (entry.node.to, entry.because) for entry in tree.entries() if isinstance(entry.node, Link)}
    assert notes == []
    assert links == {
        "/sbin": ("usr/sbin", "test"),
        "/usr/sbin/fsck.ext4": ("/usr/sbin/e2fsck", "executables[0].links"),
        "/etc/fsck": ("/usr/sbin/e2fsck", "executables[0].links"),
    }
    assert tree.holds("/lib/libz.so.1")


def test_an_optional_one_may_be_missing_with_its_links(tmp_path: Path) -> None:
    absent = [ExecutableSpec("x", path, None, (f"{path}.link",), optional=True) for path in ("/sbin/a", "/bin/b*")]
    notes, tree = added(tmp_path, *absent)
    assert notes == ["optional programs that the sysroot does not have: /sbin/a, /bin/b*"]
    assert [entry.path for entry in tree.entries()] == ["/sbin"]


def test_another_one_may_not(tmp_path: Path) -> None:
    with pytest.raises(ChainbootError, match=r"^executables\[3\]: /sbin/a is not in the sysroot"):
        added(tmp_path, ExecutableSpec("executables[3]", "/sbin/a", None))
