"""What is laid out for mke2fs. That it makes a file system of it is its own business."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import FakeRunner

from chainboot.process import Completed
from chainboot_vm import disks
from chainboot_vm.architecture import architecture
from chainboot_vm.contents import Directory, Executable, Symlink, SysrootFile, Truncated
from chainboot_vm.disks import Disk
from chainboot_vm.sysroot import Sysroot

pytestmark = pytest.mark.skipif(shutil.which("mke2fs") is None, reason="mke2fs is not installed")


class Laid(FakeRunner):
    """A runner that notes what lies in the directory that mke2fs is given: path, kind or contents, permissions."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, int]] = {}

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        staging = Path(argv[argv.index("-d") + 1])
        for path in staging.rglob("*"):
            mode = path.lstat().st_mode & 0o777
            what = f"-> {path.readlink()}" if path.is_symlink() else "/" if path.is_dir() else path.read_text()
            self.found[str(path.relative_to(staging))] = (what, 0 if path.is_symlink() else mode)
        return super().__call__(argv, check=check, timeout=timeout)


@pytest.fixture
def sysroot(tmp_path: Path) -> Sysroot:
    (tmp_path / "root" / "bin").mkdir(parents=True)
    (tmp_path / "root" / "bin" / "busybox").write_text("a program")
    return Sysroot(architecture("x86_64"), tmp_path / "root", "6.1.0", "key")


def test_each_kind_of_contents(sysroot: Sysroot, tmp_path: Path) -> None:
    laid = Laid()
    disk = Disk(
        "kinds",
        {
            "bin/busybox": Executable(SysrootFile("bin/busybox")),
            "bin/sh": Symlink("busybox"),
            "etc/note": "text\n",
            "etc/cut": Truncated("longer", 3),
            "home": Directory(),
        },
    )
    disks.write(disk, tmp_path / "image", sysroot, laid)
    assert laid.found["bin/busybox"] == ("a program", 0o755)
    assert laid.found["bin/sh"] == ("-> busybox", 0)
    assert laid.found["etc/note"][0] == "text\n"
    assert not laid.found["etc/note"][1] & 0o111
    assert laid.found["etc/cut"][0] == "lon"
    assert laid.found["home"][0] == "/"
