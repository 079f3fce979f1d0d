"""What file system a directory lies on, and whether a boot record can lead to its blocks. Writes nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass

from chainboot.boot.mounts import MOUNTINFO, read_mounts
from chainboot.errors import ChainbootError, NotFoundError, RefusedError

# File systems that have no hard links.
_WITHOUT_LINKS = ("vfat", "msdos", "exfat")

# File systems that leave the first bytes of their disk to boot loaders. zipl writes its boot record there where the
# disk has no partition table (s390-tools, zipl/src/install.c); xfs and FAT have their superblock in that place.
_LEAVE_ROOM = ("ext2", "ext3", "ext4")

SYSFS = "/sys"


@dataclass(frozen=True, slots=True)
class Disk:
    """A directory and what is mounted there, from `source`. `free` and `block` are in bytes.

    `number` is the device's, as mountinfo has it ("94:1").
    """

    directory: str
    kind: str
    source: str
    free: int
    block: int
    number: str = "0:0"

    @property
    def links(self) -> bool:
        """Whether a file of this file system can get a second name."""
        return self.kind not in _WITHOUT_LINKS


def find_disk(directory: str, *, mounts: str = MOUNTINFO, sysfs: str = SYSFS) -> Disk:
    """The disk that `directory` is on; `mounts` is mountinfo as proc_pid_mountinfo(5) has it, `sysfs` as sysfs(5).

    Raises `NotFoundError` where it is no directory, `RefusedError` where zipl could not install there.
    """
    real = os.path.realpath(directory)
    if not os.path.isdir(real):
        raise NotFoundError(f"{directory} is not a directory", hint="--target is where the boot volume is mounted")
    number, kind, source = _mount(real, mounts)
    if kind == "btrfs":
        raise RefusedError(
            f"{directory} is on btrfs, and a boot record cannot lead to its blocks: btrfs moves them",
            hint="use a boot volume with ext4, ext2 or xfs",
        )
    if number.partition(":")[0] == "0":
        raise RefusedError(
            f"{directory} is on {kind}, which is not on one disk that the machine could boot",
            hint="--target is where the boot volume is mounted, with ext4, ext2 or xfs",
        )
    if kind not in _LEAVE_ROOM and not os.path.exists(f"{sysfs}/dev/block/{number}/partition"):
        raise RefusedError(
            f"{directory} is on {source}, which has no partition table, and zipl would overwrite the start of its "
            f"{kind}: put the volume on a partition, or make it ext4",
            hint="nothing was written",
        )
    state = os.statvfs(real)
    if state.f_flag & os.ST_RDONLY:
        raise RefusedError(f"{directory} is mounted read-only", hint=f"mount -o remount,rw {directory}")
    return Disk(real, kind, source, state.f_bavail * state.f_frsize, state.f_frsize, number)


def _mount(real: str, mounts: str) -> tuple[str, str, str]:
    """Device number, type and source of the file system that is mounted at or above `real`."""
    found = ("0:0", "no file system that is mounted", "")
    longest = -1
    try:
        table = read_mounts(mounts)
    except OSError as error:
        raise ChainbootError(f"{mounts} cannot be read: {error.strerror}") from error
    for each in table:
        # Of two at one place the later one is on top.
        if (real == each.path or real.startswith(f"{each.path.rstrip('/')}/")) and len(each.path) >= longest:
            longest, found = len(each.path), (each.number, each.kind, each.source)
    return found
