"""Disk images from a declaration, made by anyone: `mke2fs -d` needs neither root nor a loop device.

Knows mke2fs and where contents come from; knows nothing of what the files mean.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from chainboot.errors import ChainbootError
from chainboot.process import Runner, run
from chainboot_vm import contents, first_stage, nixos, payload, systemd_root
from chainboot_vm.artifacts import BUILD, key_of, key_of_files, once, program
from chainboot_vm.contents import (
    Contents,
    Directory,
    Executable,
    GenerationMark,
    Joined,
    Kernel,
    Node,
    PayloadBase,
    Symlink,
    SysrootFile,
    SystemBase,
    SystemdOverlay,
    Truncated,
)
from chainboot_vm.sysroot import Sysroot

# 2024-06-01; every file and the file system itself carry it, so that the same declaration gives the same image.
_TIME = 1717243200


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk with one file system on all of it. `label` is that of the file system, at most 16 bytes.

    `files` are paths without a leading slash. A disk that is not `attached` is there to be plugged in later. One that
    is `kept` has what was written to it when the machine of the same scenario starts again. One that is `read_only`
    takes no writes.
    """

    label: str
    files: Mapping[str, Node] = field(default_factory=dict)
    fstype: str = "ext4"
    size_mib: int = 64
    attached: bool = True
    kept: bool = False
    read_only: bool = False

    @property
    def uuid(self) -> str:
        """The UUID of its file system, which follows from the label."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.label}.chainboot.invalid"))


def image(disk: Disk, sysroot: Sysroot, *, build: Path = BUILD, runner: Runner = run) -> Path:
    """The image of `disk`, made below `build` unless it is there already. Raises `ChainbootError`."""
    declared = repr((disk.label, disk.fstype, disk.size_mib, sorted(disk.files.items(), key=lambda item: item[0])))
    modules = (Path(module.__file__ or "") for module in (contents, nixos, payload))
    sources = key_of_files(*modules, Path(__file__), payload.SYSTEM_INIT)
    key = key_of(declared, sources, sysroot.key)
    name = disk.label
    if repr(SystemBase()) in declared:
        initrd = first_stage.initrd(sysroot, payload.IMAGE, runner=runner, say=lambda _: None)
        key = key_of(key, initrd.read_bytes(), key_of_files(first_stage.LIBRARY))
        if repr(SystemdOverlay()) in declared:
            key = key_of(key, systemd_root.overlay(sysroot.architecture, runner=runner).read_bytes())
        name += f"-{sysroot.architecture.name}"
    target = build / "disks" / f"{name}-{key[:12]}.img"
    made = once(target, key, lambda fresh: write(disk, fresh, sysroot, runner))
    if name != disk.label:
        # Each change of chainboot makes another one, of a hundred megabytes. Its label is that of one scenario only.
        for old in target.parent.glob(f"{name}-*.img*"):
            if not old.name.startswith(target.name):
                old.unlink(missing_ok=True)
    return made


def copy(made: Path, scenario: str, *, build: Path = BUILD) -> Path:
    """A copy of the image `made` for one run of a scenario, which may write to it. It stays until the next run.

    `scenario` names whose copy it is: two that run at the same time have different names.
    """
    target = build / "disks" / f"kept-{scenario}-{made.name}"
    for old in target.parent.glob(f"kept-{scenario}-{made.name.rpartition('-')[0]}-*"):
        old.unlink()
    shutil.copyfile(made, target)
    return target


def write(disk: Disk, target: Path, sysroot: Sysroot, runner: Runner) -> None:
    """Write the image of `disk` to the file `target`."""
    if disk.fstype not in ("ext2", "ext3", "ext4"):
        raise ChainbootError(f"{disk.label}: no way to write {disk.fstype} without being root is known here")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{disk.label}.") as name:
        staging = Path(name)
        for path, node in sorted(disk.files.items()):
            _place(staging / path, node, sysroot)
        for directory, names, files in os.walk(staging, topdown=False):
            for entry in names + files:
                os.utime(Path(directory, entry), (_TIME, _TIME), follow_symlinks=False)
        staging.chmod(0o755)
        options = f"root_owner=0:0,hash_seed={disk.uuid},lazy_itable_init=1,nodiscard"
        runner(
            (
                *("env", f"E2FSPROGS_FAKE_TIME={_TIME}"),
                *(program("mke2fs"), "-q", "-F", "-t", disk.fstype, "-L", disk.label, "-U", disk.uuid),
                *("-E", options, "-m", "0", "-d", name, str(target), f"{disk.size_mib}M"),
            ),
            check=True,
            timeout=120,
        )


def read(what: Contents, sysroot: Sysroot) -> bytes:
    """The bytes that `what` stands for."""
    match what:
        case str():
            return what.encode()
        case bytes():
            return what
        case Kernel():
            return sysroot.kernel.read_bytes()
        case PayloadBase():
            return payload.base(sysroot)
        case SystemBase():
            return payload.system(sysroot, first_stage.initrd(sysroot, payload.IMAGE, say=lambda _: None))
        case SystemdOverlay():
            return systemd_root.overlay(sysroot.architecture).read_bytes()
        case GenerationMark(generation, behaviour):
            return payload.mark(generation, behaviour)
        case Joined(parts):
            return b"".join(read(part, sysroot) for part in parts)
        case Truncated(of, size):
            return read(of, sysroot)[:size]
        case SysrootFile(path):
            return sysroot.read(path)
        case _:
            assert_never(what)


def _place(path: Path, node: Node, sysroot: Sysroot) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match node:
        case Directory():
            path.mkdir(exist_ok=True)
        case Symlink(target):
            path.symlink_to(target)
        case Executable(of):
            path.write_bytes(read(of, sysroot))
            path.chmod(0o755)
        case _:
            path.write_bytes(read(node, sysroot))
