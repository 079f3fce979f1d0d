"""The boot volume, writable for a moment.

Discovery mounts read-only and replays no journal. What chainboot itself keeps on a disk is written here: taken down,
mounted read-write as the booted system would mount it (its journal is replayed), and put back. Knows nothing of what
is written.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from chainboot.boot.discovery import FILE_SYSTEMS, block_devices, mount_arguments, probe
from chainboot.boot.lock import try_lock
from chainboot.boot.mounts import read_mounts
from chainboot.boot.volume import Configuration, Volume
from chainboot.errors import ChainbootError, reason
from chainboot.process import Runner
from chainboot.settings import RUNTIME
from chainboot.sync import sync_directory
from chainboot.text import printable

OWN = "chainboot"

# Seconds: until who reads has finished; for one mount, with the journal of a crashed system to replay.
_LOCK_PATIENCE = 10.0
_LOCK_ATTEMPT = 0.05
_PATIENCE = 60.0

# Seconds for a look at the swap areas of one disk.
_LOOK = 20.0

SYS_BLOCK = "/sys/class/block"

# What may lie on any disk, or on several.
_ANYWHERE = ("dm-", "md")

_NEVER_WRITABLE = ("iso9660", "squashfs", "erofs")

# Directories that belong to a boot loader; ours stands beside them and not inside.
_LOADERS = ("extlinux", "syslinux", "isolinux")


class NotReadOnlyError(ChainbootError):
    """What was written is on the disk, but the volume is not mounted read-only again, or not at all."""


def is_mounted(root: str) -> bool:
    """Whether something is mounted at `root`; also where the kernel does not say."""
    try:
        return any(mounted.path == root for mounted in read_mounts())
    except OSError:
        return True


def own_directory(configuration: Configuration) -> str:
    """The path inside the volume of the directory where chainboot keeps its own files.

    Beside the loader's directory, so that it is the same one however the volume is mounted: /extlinux/extlinux.conf
    and /extlinux.conf have /chainboot, /boot/extlinux/extlinux.conf has /boot/chainboot.
    """
    parent = configuration.path.rpartition("/")[0]
    above, _, name = parent.rpartition("/")
    return f"{above if name in _LOADERS else parent}/{OWN}"


@contextmanager
def reading(runtime: str = RUNTIME, *, patience: float = _LOCK_PATIENCE) -> Iterator[None]:
    """Keep the volumes mounted as they are while files on them are read or loaded; many may at the same time.

    Waits `patience` seconds for one who writes, then raises `ChainbootError`. Not to be held around `writable`.
    """
    with _locked(runtime, fcntl.LOCK_SH, patience):
        yield


@contextmanager
def writable(
    volume: Volume,
    run: Runner,
    *,
    runtime: str = RUNTIME,
    patience: float = _LOCK_PATIENCE,
    sys_block: str = SYS_BLOCK,
    mounted: Callable[[str], bool] = is_mounted,
) -> Iterator[str]:
    """The root directory of `volume`, where files can be written until the end of the `with`.

    A volume that discovery did not mount is given as it is; one that was taken down since is mounted again. Raises
    `ChainbootError`: when others read for longer than `patience` seconds, or use it otherwise, or a system hibernates
    on its disk, before anything has changed; when it cannot be written, or the system refuses to lock (also OSError);
    and at the end, when what was written may not be on the disk. Whatever happens inside, it ends mounted read-only, as
    far as the kernel lets it; where only that fails, it is a `NotReadOnlyError`.
    """
    if not volume.mounted or volume.device is None:
        yield volume.root
        return
    device = volume.device.removeprefix("/dev/")
    kind = probe(device, run).get("TYPE", "")
    if kind not in FILE_SYSTEMS or kind in _NEVER_WRITABLE:
        raise ChainbootError(f"{volume.name} cannot be written: {kind or 'no file system that is known'} is read-only")
    _refuse_under_a_sleeper(volume, device, run, sys_block)
    with _locked(runtime, fcntl.LOCK_EX, patience):
        try:
            run(["umount", volume.root], check=True, timeout=_PATIENCE)
        except ChainbootError as error:
            if mounted(volume.root):
                raise ChainbootError(
                    f"{volume.name} cannot be written now: it is in use ({error.message})",
                    hint="end the other sessions and programs that use it, then try again",
                ) from error
        try:
            _make_writable(device, kind, volume, run)
        except BaseException:
            with suppress(ChainbootError):  # the first error is the one that tells
                _read_only_again(device, kind, volume, run)
            raise
        try:
            yield volume.root
        except BaseException:
            with suppress(ChainbootError):
                _put_back(device, kind, volume, run)
            raise
        _put_back(device, kind, volume, run)


def _refuse_under_a_sleeper(volume: Volume, device: str, run: Runner, sys_block: str) -> None:
    """A system that hibernates has its file systems mounted: whoever writes to them now damages them when it wakes.

    blkid calls a swap area with such a system in it swsuspend (libblkid/src/superblocks/swap.c). One on another disk is
    no reason: old ones lie about for years, and no trial could ever be written down. Nor is a blkid that does not work.
    """
    near = [f"/dev/{name}" for name in block_devices(sys_block) if _may_share(name, device, sys_block)]
    asked = ["blkid", "-c", "/dev/null", "-t", "TYPE=swsuspend", "-o", "device", *near]
    try:
        lines = run(asked, check=False, timeout=_LOOK).stdout.split()
    except ChainbootError:
        return
    found = [line for line in lines if line.startswith("/dev/")]
    if found:
        raise ChainbootError(
            f"{volume.name} is not written now: a system hibernates on {', '.join(map(printable, found))}",
            hint="boot it, so that it wakes up; or destroy what it had open with mkswap",
        )


def _may_share(one: str, other: str, sys_block: str) -> bool:
    """Whether two block devices may be of one disk; so may one of which nobody knows where it lies."""
    disks = {_disk(one, sys_block), _disk(other, sys_block)}
    return "" in disks or len(disks) == 1


def _disk(name: str, sys_block: str) -> str:
    """The disk that a block device is or is a partition of, "" where that is not said."""
    # /sys/class/block/vda2 leads to .../block/vda/vda2, and only a partition has the file of that name.
    place = os.path.realpath(f"{sys_block}/{os.path.basename(os.path.realpath(f'/dev/{name}'))}")
    disk, base = os.path.split(place)
    if base.startswith(_ANYWHERE) or not os.path.isdir(place):
        return ""
    return os.path.basename(disk) if os.path.exists(f"{place}/partition") else base


def _make_writable(device: str, kind: str, volume: Volume, run: Runner) -> None:
    try:
        run(mount_arguments(device, kind, volume.root, write=True), check=True, timeout=_PATIENCE)
    except ChainbootError as error:
        raise ChainbootError(f"{volume.name} cannot be written: {error.message}", hint=error.hint) from error
    # mount(8) takes a write-protected disk for a wish to mount it read-only, and says that all is well.
    if os.statvfs(volume.root).f_flag & os.ST_RDONLY:
        raise ChainbootError(f"{volume.name} cannot be written: the disk is write-protected or its errors forbid it")


def _put_back(device: str, kind: str, volume: Volume, run: Runner) -> None:
    """Everything to the disk, then read-only; raises when that may not have happened, each in its own way."""
    # syncfs(2), which Python has no call for. umount would write too, but would not say that it could not.
    synced = run(["sync", "-f", volume.root], check=False, timeout=_PATIENCE)
    trouble = synced.reason() if synced.returncode != 0 else _flush(volume.root)
    still = ""
    try:
        _read_only_again(device, kind, volume, run)
    except ChainbootError as error:
        still = error.message
    if trouble:
        raise ChainbootError(f"what was written to {volume.name} may not be on the disk: {trouble}")
    if still:
        raise NotReadOnlyError(f"{volume.name} was written, but is not mounted read-only again: {still}")


def _flush(root: str) -> str:
    """What is in the disk's own cache, onto the disk: syncfs(2) and umount(2) of FAT leave it there. Why not, or ""."""
    try:
        directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync_directory(os.fsync, directory)
        finally:
            os.close(directory)
    except OSError as error:
        return reason(error)
    return ""


def _read_only_again(device: str, kind: str, volume: Volume, run: Runner) -> None:
    """Mounted as discovery does; where a program that came in between holds it, read-only at least."""
    try:
        run(["umount", volume.root], check=True, timeout=_PATIENCE)
    except ChainbootError:
        if os.path.ismount(volume.root):
            run(["mount", "-o", "remount,ro", volume.root], check=True, timeout=_PATIENCE)
            return
    run(mount_arguments(device, kind, volume.root), check=True, timeout=_PATIENCE)


@contextmanager
def _locked(runtime: str, how: int, patience: float) -> Iterator[None]:
    os.makedirs(runtime, mode=0o700, exist_ok=True)
    descriptor = os.open(f"{runtime}/mounts", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + patience
        while not try_lock(descriptor, how):
            if time.monotonic() >= end:
                what = "loads or writes" if how == fcntl.LOCK_EX else "writes"
                raise ChainbootError(f"another session {what} on the disks since {patience:g} s", hint="try again")
            time.sleep(_LOCK_ATTEMPT)
        yield
    finally:
        os.close(descriptor)  # which frees the lock
