"""The boot volume, writable for a moment.

Discovery mounts read-only and replays no journal. What chainboot itself keeps on a disk is written here: taken down,
mounted read-write as the booted system would mount it (its journal is replayed), and put back. Knows nothing of what
is written.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from chainboot.boot.discovery import FILE_SYSTEMS, mount_arguments, probe
from chainboot.boot.lock import try_lock
from chainboot.boot.volume import Configuration, Volume
from chainboot.errors import ChainbootError
from chainboot.process import Runner
from chainboot.settings import RUNTIME
from chainboot.sync import sync_directory
from chainboot.text import printable

OWN = "chainboot"

# Seconds: until who reads has finished; for one mount, with the journal of a crashed system to replay.
_LOCK_PATIENCE = 10.0
_LOCK_ATTEMPT = 0.05
_PATIENCE = 60.0

_NEVER_WRITABLE = ("iso9660", "squashfs", "erofs")

# Directories that belong to a boot loader; ours stands beside them and not inside.
_LOADERS = ("extlinux", "syslinux", "isolinux")


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
def writable(volume: Volume, run: Runner, *, runtime: str = RUNTIME, patience: float = _LOCK_PATIENCE) -> Iterator[str]:
    """The root directory of `volume`, where files can be written until the end of the `with`.

    A volume that discovery did not mount is given as it is. Raises `ChainbootError`: when others read for longer than
    `patience` seconds, or use it otherwise, or a system hibernates on this machine, before anything has changed; when
    it cannot be written; and at the end, when what was written may not be on the disk. Whatever happens inside, it ends
    mounted read-only, as far as the kernel lets it.
    """
    if not volume.mounted or volume.device is None:
        yield volume.root
        return
    device = volume.device.removeprefix("/dev/")
    kind = probe(device, run).get("TYPE", "")
    if kind not in FILE_SYSTEMS or kind in _NEVER_WRITABLE:
        raise ChainbootError(f"{volume.name} cannot be written: {kind or 'no file system that is known'} is read-only")
    _refuse_under_a_sleeper(volume, run)
    with _locked(runtime, fcntl.LOCK_EX, patience):
        try:
            run(["umount", volume.root], check=True, timeout=_PATIENCE)
        except ChainbootError as error:
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


def _refuse_under_a_sleeper(volume: Volume, run: Runner) -> None:
    """A system that hibernates has its file systems mounted: whoever writes to them now damages them when it wakes.

    blkid calls a swap area with such a system in it swsuspend (libblkid/src/superblocks/swap.c).
    """
    asked = ["blkid", "-c", "/dev/null", "-t", "TYPE=swsuspend", "-o", "device"]
    found = [line for line in run(asked, check=False, timeout=_PATIENCE).stdout.split() if line.startswith("/dev/")]
    if found:
        raise ChainbootError(
            f"{volume.name} is not written now: a system hibernates on {', '.join(map(printable, found))}",
            hint="boot it, so that it wakes up; or destroy what it had open with mkswap",
        )


def _make_writable(device: str, kind: str, volume: Volume, run: Runner) -> None:
    try:
        run(mount_arguments(device, kind, volume.root, write=True), check=True, timeout=_PATIENCE)
    except ChainbootError as error:
        raise ChainbootError(f"{volume.name} cannot be written: {error.message}", hint=error.hint) from error
    # mount(8) takes a write-protected disk for a wish to mount it read-only, and says that all is well.
    if os.statvfs(volume.root).f_flag & os.ST_RDONLY:
        raise ChainbootError(f"{volume.name} cannot be written: the disk is write-protected or its errors forbid it")


def _put_back(device: str, kind: str, volume: Volume, run: Runner) -> None:
    """Everything to the disk, then read-only; raises when either may not have happened."""
    # syncfs(2), which Python has no call for. umount would write too, but would not say that it could not.
    synced = run(["sync", "-f", volume.root], check=False, timeout=_PATIENCE)
    trouble = synced.reason() if synced.returncode != 0 else _flush(volume.root)
    _read_only_again(device, kind, volume, run)
    if trouble:
        raise ChainbootError(f"what was written to {volume.name} may not be on the disk: {trouble}")


def _flush(root: str) -> str:
    """What is in the disk's own cache, onto the disk: syncfs(2) and umount(2) of FAT leave it there. Why not, or ""."""
    try:
        directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync_directory(os.fsync, directory)
        finally:
            os.close(directory)
    except OSError as error:
        return (error.strerror or str(error)).lower()
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
