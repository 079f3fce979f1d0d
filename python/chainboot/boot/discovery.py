"""Block devices to read-only mounts to volumes to configurations.

Mounts never replay a journal: a disk that a crashed system left behind is not written to by looking at it.
A disk that cannot be read costs itself: it is reported and the others go on.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from chainboot.boot.mounts import read_mounts
from chainboot.boot.volume import Configuration, Volume, find_configurations, read_configuration
from chainboot.errors import ChainbootError
from chainboot.process import Runner
from chainboot.settings import RUNTIME
from chainboot.text import printable

MOUNTS = f"{RUNTIME}/volumes"

# Devices that hold no boot partition of their own.
_SKIPPED = ("loop", "ram", "zram", "fd", "nbd", "mtdblock")

# What can be mounted, by blkid's TYPE: the kernel's name for it, and the option that keeps the journal from
# being replayed (ext4(5), xfs(5), btrfs(5), Documentation/filesystems/{f2fs,nilfs2}.rst).
FILE_SYSTEMS = {
    "ext2": ("ext4", "noload"),
    "ext3": ("ext4", "noload"),
    "ext4": ("ext4", "noload"),
    "xfs": ("xfs", "norecovery"),
    "btrfs": ("btrfs", "rescue=nologreplay"),
    "f2fs": ("f2fs", "norecovery"),
    "nilfs2": ("nilfs2", "norecovery"),
    "vfat": ("vfat", ""),
    "iso9660": ("iso9660", ""),
    "squashfs": ("squashfs", ""),
    "erofs": ("erofs", ""),
}

# Seconds for one probe or one mount: a dying disk must not keep the menu from a person for minutes.
_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the disks hold. `problems` are sentences about devices and files that could not be read."""

    devices: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    configurations: tuple[Configuration, ...] = ()
    problems: tuple[str, ...] = ()

    def summary(self) -> str:
        """Why there is nothing to boot, in one sentence."""
        if self.configurations:
            return f"{len(self.configurations)} configurations"
        if not self.devices:
            return "no disk was found"
        if not self.volumes:
            return f"no file system was found on {', '.join(self.devices)}"
        names = ", ".join(volume.name for volume in self.volumes)
        return f"no extlinux configuration was found on {names}"


def discover(run: Runner, *, sys_block: str = "/sys/class/block", mounts: str = MOUNTS) -> Discovery:
    """Mount what can be mounted below `mounts` and read every configuration in it. Never raises for one device."""
    devices = block_devices(sys_block)
    volumes: list[Volume] = []
    problems: list[str] = []
    for device in devices:
        try:
            volumes += _mount(device, run, mounts, problems)
        except (ChainbootError, OSError) as error:
            problems.append(f"/dev/{device}: {printable(str(error))}")
    configurations: list[Configuration] = []
    for volume in volumes:
        paths, unusable = find_configurations(volume)
        problems += [f"{volume.name}: {printable(problem)}" for problem in unusable]
        for path in paths:
            try:
                configurations.append(read_configuration(volume, path))
            except (ChainbootError, OSError) as error:
                problems.append(f"{volume.name}: {printable(str(error))}")
    return Discovery(devices, tuple(volumes), tuple(configurations), tuple(problems))


def block_devices(sys_block: str = "/sys/class/block") -> tuple[str, ...]:
    """Names of the block devices that may hold a file system, in the order vda, vda1, vda2, vda10."""
    try:
        names = os.listdir(sys_block)
    except OSError:
        return ()
    kept = [name for name in names if not name.startswith(_SKIPPED) and _sectors(f"{sys_block}/{name}/size") > 0]
    return tuple(sorted(kept, key=_natural))


def _sectors(path: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _natural(name: str) -> tuple[str, int]:
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0)


def _mount(device: str, run: Runner, mounts: str, problems: list[str]) -> tuple[Volume, ...]:
    """The volume on `device`, mounted; empty where there is no file system that we know.

    Adds to `problems` a sentence about a volume that can be read but should not be writable.
    """
    facts = probe(device, run)
    kind = facts.get("TYPE", "")
    if kind not in FILE_SYSTEMS:
        return ()
    target = f"{mounts}/{device}"
    name = f"/dev/{device} ({printable(', '.join(filter(None, (kind, facts.get('LABEL', '')))))})"
    if os.path.ismount(target):
        try:
            _keep_read_only(target, run, mounts)
        except (ChainbootError, OSError) as error:
            problems.append(f"{name} may still be mounted writable: {printable(str(error))}")
    else:
        os.makedirs(target, mode=0o700, exist_ok=True)
        try:
            run(mount_arguments(device, kind, target), check=True, timeout=_PATIENCE)
        except ChainbootError:
            if not os.path.ismount(target):  # the session on another console may have been faster
                raise
    return (Volume(target, name, f"/dev/{device}", mounted=True, uuid=facts.get("UUID")),)


def _keep_read_only(target: str, run: Runner, mounts: str) -> None:
    """Make the mount at `target` read-only if it is not: whoever was writing there was killed. Raises `ProcessError`.

    Not to be called while somebody writes (`writable.reading`).
    """
    if os.statvfs(target).f_flag & os.ST_RDONLY:
        return
    if _is_mounted_elsewhere(target, mounts):
        # The system of an entry, in which a person may be at work (enter_plan.py): of that only this view is ours.
        run(("mount", "-o", "remount,bind,ro,nodev,nosuid,noexec", "none", target), check=True, timeout=_PATIENCE)
    else:
        run(("mount", "-o", "remount,ro", target), check=True, timeout=_PATIENCE)


def _is_mounted_elsewhere(target: str, mounts: str) -> bool:
    """Whether the file system that is mounted at `target` is also mounted outside of `mounts`."""
    table = read_mounts()
    numbers = {each.number for each in table if each.path == target}
    return any(each.number in numbers and not each.path.startswith(f"{mounts}/") for each in table)


def mount_arguments(device: str, kind: str, target: str, *, write: bool = False) -> tuple[str, ...]:
    """The command that mounts `device`, whose blkid TYPE is `kind`, at `target`: read-only and without a look at the
    journal, or with `write` as the booted system would, which replays it.
    """
    driver, no_replay = FILE_SYSTEMS[kind]
    options = "rw,nodev,nosuid,noexec" if write else ",".join(filter(None, ("ro,nodev,nosuid,noexec", no_replay)))
    return ("mount", "-t", driver, "-o", options, f"/dev/{device}", target)


def probe(device: str, run: Runner) -> dict[str, str]:
    """What blkid(8) finds on a device, from its own superblocks and not from a cache; {} where it finds nothing."""
    # Exit code 2: "no matching signature"; 8: ambivalent. Neither is an error of ours. It is asked a second time: while
    # another session mounts the device, the kernel may let a read of it fail (set_blocksize, CVE-2025-38073).
    argv = ["blkid", "-p", "-o", "export", f"/dev/{device}"]
    done = run(argv, check=False, timeout=_PATIENCE)
    if not done.stdout:
        done = run(argv, check=False, timeout=_PATIENCE)
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    return {key: value.replace("\\ ", " ") for key, equals, value in pairs if equals}
