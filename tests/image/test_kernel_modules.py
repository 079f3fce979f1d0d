"""Kernel modules, their dependencies and their tables, from depmod's tables or without them."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from fakes import FakeRunner
from image.elf_files import elf_file
from image.sysroots import To, write_sysroot

from chainboot.architecture import S390X, X86_64
from chainboot.errors import ChainbootError
from chainboot.image.cpio import File
from chainboot.image.kernel_modules import IncludedModules, add_kernel_modules
from chainboot.image.spec import KernelModulesSpec
from chainboot.image.tree import ImageTree
from chainboot.process import Completed

BASE = "/lib/modules/6.1"


def module(*modinfo: str) -> bytes:
    return elf_file(modinfo=modinfo)


MODULES: dict[str, bytes] = {
    "kernel/fs/ext4/ext4.ko": module("depends=mbcache,jbd2", "alias=fs-ext4", "softdep=pre: crc32c"),
    "kernel/fs/jbd2/jbd2.ko": module("depends=mbcache"),
    "kernel/fs/mbcache.ko": module("depends="),
    "kernel/crypto/crc32c_generic.ko": module("depends=", "alias=crypto-crc32c", "alias=crc32c"),
    "kernel/crypto/crc32c-intel.ko": module("depends=", "alias=crc32c"),
    "kernel/drivers/virtio-blk.ko": module("depends=virtio", "alias=virtio:d00000002v*"),
    "kernel/unused.ko": module("depends=", "alias=fs-unused"),
}
TABLES: dict[str, bytes | str | To] = {
    "modules.builtin": "kernel/drivers/virtio/virtio.ko\nkernel/fs/nls/nls-ascii.ko\n",
    "modules.builtin.modinfo": "virtio.alias=virtio-bus\0virtio.license=GPL\0",
}
FROM_DEPMOD: dict[str, bytes | str | To] = {
    "modules.dep": (
        "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/fs/mbcache.ko\n"
        "kernel/fs/jbd2/jbd2.ko: kernel/fs/mbcache.ko\nkernel/fs/mbcache.ko:\n"
        "kernel/crypto/crc32c_generic.ko:\nkernel/crypto/crc32c-intel.ko:\n"
        "kernel/drivers/virtio-blk.ko:\nkernel/unused.ko:\n"
    ),
    "modules.alias": (
        "# Aliases extracted from modules themselves.\nalias fs-ext4 ext4\nalias crypto-crc32c crc32c_generic\n"
        "alias crc32c crc32c_generic\nalias crc32c crc32c_intel\n"
        "alias virtio:d00000002v* virtio_blk\nalias fs-unused unused\n"
    ),
    "modules.softdep": "# Soft dependencies extracted from modules themselves.\nsoftdep ext4 pre: crc32c\n",
}


def included(
    root: Path,
    files: Mapping[str, bytes | str | To],
    required: Sequence[str],
    optional: Sequence[str] = (),
    runner: FakeRunner | None = None,
    release: str | None = None,
) -> tuple[dict[str, str], dict[str, str], IncludedModules]:
    """The modules of the image with their reasons, its tables, and what came of it."""
    sysroot = write_sysroot(root, {f"{BASE}/{path}": content for path, content in files.items()})
    tree = ImageTree(X86_64)
    spec = KernelModulesSpec("/lib/modules", release, tuple(required), tuple(optional))
    result = add_kernel_modules(spec, sysroot, tree, runner or FakeRunner(), lambda _: None)
    entries = {entry.path.removeprefix(f"{BASE}/"): entry for entry in tree.entries() if isinstance(entry.node, File)}
    tables = {
        path: entry.node.data.decode()
        for path, entry in entries.items()
        if path.startswith("modules.") and isinstance(entry.node, File)
    }
    return {path: entry.because for path, entry in entries.items() if path not in tables}, tables, result


@pytest.mark.parametrize("tables", [TABLES, {**TABLES, **FROM_DEPMOD}], ids=["from the modules", "from depmod"])
def test_modules_come_with_all_they_depend_on(tmp_path: Path, tables: dict[str, bytes | str | To]) -> None:
    found, written, result = included(
        tmp_path / "root", {**MODULES, **tables}, ["ext4", "virtio_blk"], ["nls-ascii", "gone"]
    )
    assert found == {
        "kernel/crypto/crc32c-intel.ko": "softdep of ext4",
        "kernel/crypto/crc32c_generic.ko": "softdep of ext4",
        "kernel/drivers/virtio-blk.ko": "kernel_modules.required",
        "kernel/fs/ext4/ext4.ko": "kernel_modules.required",
        "kernel/fs/jbd2/jbd2.ko": "needed by ext4",
        "kernel/fs/mbcache.ko": found["kernel/fs/mbcache.ko"],
    }
    assert found["kernel/fs/mbcache.ko"] in ("needed by ext4", "needed by jbd2")
    assert written == {
        "modules.alias": (
            "alias crc32c crc32c_generic\nalias crc32c crc32c_intel\nalias crypto-crc32c crc32c_generic\n"
            "alias fs-ext4 ext4\nalias virtio:d00000002v* virtio_blk\n"
        ),
        "modules.builtin": "kernel/drivers/virtio/virtio.ko\nkernel/fs/nls/nls-ascii.ko\n",
        "modules.dep": (
            "kernel/crypto/crc32c_generic.ko:\nkernel/crypto/crc32c-intel.ko:\n"
            "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko kernel/fs/mbcache.ko\n"
            "kernel/fs/jbd2/jbd2.ko: kernel/fs/mbcache.ko\nkernel/fs/mbcache.ko:\nkernel/drivers/virtio-blk.ko:\n"
        ),
        "modules.softdep": "softdep ext4 pre: crc32c\n",
    }
    assert result == IncludedModules("6.1", ("gone",))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("virtio-blk", ["kernel/drivers/virtio-blk.ko"]),
        ("fs-ext4", ["kernel/fs/ext4/ext4.ko"]),
        ("fs_ext4", ["kernel/fs/ext4/ext4.ko"]),
        ("virtio:d00000002v00001AF4", ["kernel/drivers/virtio-blk.ko"]),
        ("crc32c", ["kernel/crypto/crc32c-intel.ko", "kernel/crypto/crc32c_generic.ko"]),
        ("nls_ascii", []),
        ("virtio-bus", []),  # an alias of a module that is built in
    ],
)
def test_names_and_aliases_as_modprobe_takes_them(tmp_path: Path, wanted: str, found: list[str]) -> None:
    asked, _, _ = included(tmp_path / "root", {**MODULES, **TABLES}, [wanted])
    assert [path for path, because in asked.items() if because == "kernel_modules.required"] == found


def test_a_required_module_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ChainbootError) as refused:
        included(tmp_path / "root", {**MODULES, **TABLES}, ["ext4", "nvme"])
    assert str(refused.value) == "kernel_modules.required: the kernel 6.1 of the sysroot has no module nvme"


def test_a_dependency_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ChainbootError) as refused:
        included(tmp_path / "root", {"a.ko": module("depends=b")}, ["a"])
    assert str(refused.value) == "the kernel module b is needed by a and is not in the sysroot"


def test_modules_that_depend_on_each_other(tmp_path: Path) -> None:
    with pytest.raises(ChainbootError) as refused:
        included(tmp_path / "root", {"a.ko": module("depends=b"), "b.ko": module("depends=a")}, ["a"])
    assert str(refused.value) == "the kernel modules b and a depend on each other"


def test_the_release(tmp_path: Path) -> None:
    with pytest.raises(ChainbootError) as wrong:
        included(tmp_path / "root", MODULES, ["ext4"], release="6.2")
    assert str(wrong.value) == f"kernel_modules.release: /lib/modules/6.2 is not in the sysroot {tmp_path / 'root'}"
    with pytest.raises(ChainbootError) as several:
        included(tmp_path / "two", {**MODULES, "../6.2/modules.dep": ""}, ["ext4"])
    assert str(several.value) == "kernel_modules.release: /lib/modules of the sysroot holds 6.1, 6.2"
    with pytest.raises(ChainbootError) as none:
        included(tmp_path / "none", {}, ["ext4"])
    assert str(none.value) == "kernel_modules.release: /lib/modules of the sysroot holds no kernel modules"


def test_links_out_of_the_modules_are_not_followed(tmp_path: Path) -> None:
    found, _, _ = included(tmp_path / "root", {**MODULES, **TABLES, "source": To("/lib/modules/6.1")}, ["ext4"])
    assert "kernel/fs/ext4/ext4.ko" in found


class Unzstd(FakeRunner):
    """Stands in for zstd: what is `packed` in capitals is unpacked in small letters."""

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        done = super().__call__(argv, check=check, timeout=timeout)
        Path(argv[-2]).write_bytes(Path(argv[-1]).read_bytes().removeprefix(b"zstd"))
        return done


@pytest.mark.parametrize("suffix", ["gz", "xz", "zst"])
def test_compressed_modules_are_uncompressed_in_the_image(tmp_path: Path, suffix: str) -> None:
    plain = module("depends=")
    packed = {"gz": gzip.compress(plain), "xz": lzma.compress(plain), "zst": b"zstd" + plain}[suffix]
    runner = Unzstd()
    sysroot = write_sysroot(tmp_path / "root", {f"{BASE}/a.ko.{suffix}": packed})
    tree = ImageTree(X86_64)
    add_kernel_modules(KernelModulesSpec("/lib/modules", None, ("a",), ()), sysroot, tree, runner, lambda _: None)
    nodes = {entry.path: entry.node for entry in tree.entries()}
    assert nodes[f"{BASE}/a.ko"] == File(0o644, plain)
    assert nodes[f"{BASE}/modules.dep"] == File(0o644, b"a.ko:\n")
    assert [command[:4] for command in runner.commands] == ([("zstd", "-q", "-d", "-o")] * 2 if suffix == "zst" else [])


@pytest.mark.parametrize("suffix", ["gz", "xz"])
def test_a_damaged_module_is_named(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ChainbootError, match=rf"^{BASE}/a\.ko\.{suffix} cannot be uncompressed: "):
        included(tmp_path / "root", {f"a.ko.{suffix}": b"not compressed at all"}, ["a"])


def test_modules_of_another_machine(tmp_path: Path) -> None:
    with pytest.raises(ChainbootError) as refused:
        included(tmp_path / "root", {"a.ko": elf_file(S390X, modinfo=["depends="])}, ["a"])
    assert str(refused.value) == f"{BASE}/a.ko is for s390x (64 bit, big endian), and the image is for x86_64"
