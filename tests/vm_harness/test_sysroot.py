"""Sysroots: which packages one is made of, and one that somebody else has made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fakes import FakeRunner

from chainboot.errors import ChainbootError
from chainboot_vm import disks, first_stage, payload
from chainboot_vm.apt import Apt
from chainboot_vm.architecture import architecture
from chainboot_vm.contents import SysrootFile
from chainboot_vm.sysroot import given


@pytest.mark.parametrize(
    ("machine", "running", "own"),
    [("s390x", "bookworm", False), ("s390x", "trixie", True), ("s390x", "", True), ("x86_64", "trixie", False)],
)
def test_an_architecture_may_want_another_release(tmp_path: Path, machine: str, running: str, own: bool) -> None:
    release = tmp_path / "os-release"
    if running:
        release.write_text(f'NAME="Debian"\nVERSION_CODENAME={running}\n')
    runner = FakeRunner()
    Apt(architecture(machine), tmp_path / "apt", tmp_path / "lists", runner, release).update()
    (command,) = runner.commands
    assert (f"Dir::Etc::sourcelist={tmp_path}/apt/sources.list" in command) == own
    assert ("Dir::Etc::sourceparts=-" in command) == own
    if own:
        assert " http://deb.debian.org/debian bookworm main\n" in (tmp_path / "apt/sources.list").read_text()


X86_64 = architecture("x86_64")


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A sysroot as Nix makes it: of links into its store, where one package names another by its absolute path."""
    store = tmp_path / "store"
    (store / "kernel").mkdir(parents=True)
    (store / "kernel" / "bzImage").write_text("a kernel")
    (store / "box" / "bin").mkdir(parents=True)
    (store / "box" / "bin" / "real").write_text("a program")
    (store / "alias").symlink_to(store / "box")
    root = tmp_path / "root"
    for directory in ("boot", "bin"):
        (root / directory).mkdir(parents=True)
    (root / "boot" / "vmlinuz-6.6.60").symlink_to(store / "kernel" / "bzImage")
    (root / "bin" / "busybox").symlink_to(store / "alias" / "bin" / "real")
    return root


def test_one_of_links_into_a_store(linked: Path) -> None:
    sysroot = given(X86_64, linked, store=linked.parent / "store")
    assert sysroot.kernel_release == "6.6.60"
    assert sysroot.kernel.read_text() == "a kernel"
    assert sysroot.read("bin/busybox") == b"a program"
    assert disks.read(SysrootFile("bin/busybox"), sysroot) == b"a program"
    with pytest.raises(ChainbootError, match="/bin/busybox is not a file of the sysroot"):
        given(X86_64, linked).read("bin/busybox")


def test_links_of_unpacked_packages_do_not_lead_out(tmp_path: Path) -> None:
    for directory in ("boot", "bin", "etc"):
        (tmp_path / directory).mkdir()
    (tmp_path / "boot" / "vmlinuz-6.1.0").touch()
    (tmp_path / "etc" / "busybox").write_text("of the sysroot")
    (tmp_path / "bin" / "busybox").symlink_to("/etc/busybox")
    assert given(X86_64, tmp_path).read("bin/busybox") == b"of the sysroot"


def test_what_is_made_from_it_is_made_again_when_it_is_another(linked: Path, tmp_path: Path) -> None:
    image = tmp_path / "initrd"
    image.touch()
    other = tmp_path / "other"
    other.touch()
    keys = {given(X86_64, linked, complete=complete).key for complete in (None, image, other, image)}
    assert len(keys) == 3
    assert given(X86_64, linked, key="told").key == "told"


def test_a_first_stage_that_came_with_it_is_taken_as_it_is(linked: Path, tmp_path: Path) -> None:
    image = tmp_path / "initrd"
    image.write_text("the first stage")
    sysroot = given(X86_64, linked, complete=image)
    assert first_stage.initrd(sysroot, build_directory=tmp_path / "build", runner=FakeRunner(), say=print) == image
    assert not (tmp_path / "build").exists()
    with pytest.raises(ChainbootError, match=f"there is no first stage {tmp_path}/nothing"):
        given(X86_64, linked, complete=tmp_path / "nothing")


@pytest.mark.parametrize("kernels", [(), ("vmlinuz-6.1.0", "vmlinuz-6.6.60")])
def test_one_kernel_is_what_both_stages_run(tmp_path: Path, kernels: tuple[str, ...]) -> None:
    (tmp_path / "boot").mkdir()
    for name in kernels:
        (tmp_path / "boot" / name).touch()
    with pytest.raises(ChainbootError, match=f"should hold one kernel and holds {len(kernels)}"):
        given(X86_64, tmp_path)


def test_a_payload_wants_a_busybox_that_needs_no_library(linked: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    sysroot = given(X86_64, linked, store=store)
    busybox = store / "box" / "bin" / "real"
    busybox.write_bytes(Path(sys.executable).resolve().read_bytes())
    with pytest.raises(ChainbootError, match=r"bin/busybox of the sysroot .* is not statically linked"):
        payload.base(sysroot)
