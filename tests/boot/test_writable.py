"""The boot volume made writable for a moment: the order of mounts, whatever fails, and a real one."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import FakeRunner

from chainboot.boot.volume import Configuration, Volume
from chainboot.boot.writable import NotReadOnlyError, own_directory, reading, writable
from chainboot.errors import ChainbootError
from chainboot.extlinux.menu import BootMenu
from chainboot.process import Completed, ProcessError

BLKID = {"blkid": Completed((), 0, "TYPE=ext4\n")}
READ_ONLY = "mount -t ext4 -o ro,nodev,nosuid,noexec,noload /dev/vda2"
READ_WRITE = "mount -t ext4 -o rw,nodev,nosuid,noexec /dev/vda2"
FAILED = Completed((), 32, stderr="target is busy")


def volume(root: Path | str) -> Volume:
    return Volume(str(root), "/dev/vda2 (ext4)", "/dev/vda2", mounted=True)


def steps(runner: FakeRunner, root: Path | str) -> list[str]:
    """What ran after the probe, without the mount point."""
    return [" ".join(command).replace(f" {root}", "") for command in runner.commands if command[0] != "blkid"]


@pytest.mark.parametrize(
    ("path", "directory"),
    [
        ("/boot/extlinux/extlinux.conf", "/boot/chainboot"),
        ("/extlinux/extlinux.conf", "/chainboot"),
        ("/extlinux.conf", "/chainboot"),
        ("/boot/extlinux.conf", "/boot/chainboot"),
        ("/boot/syslinux/syslinux.cfg", "/boot/chainboot"),
        ("/isolinux/isolinux.cfg", "/chainboot"),
    ],
)
def test_our_directory_is_the_same_however_the_volume_is_mounted(path: str, directory: str) -> None:
    assert own_directory(Configuration(volume("/x"), path, BootMenu(path))) == directory


def test_it_is_mounted_anew_synced_and_put_back(tmp_path: Path) -> None:
    runner = FakeRunner(BLKID)
    with writable(volume(tmp_path), runner, runtime=str(tmp_path / "run")) as root:
        assert root == str(tmp_path)
        assert steps(runner, tmp_path) == ["umount", READ_WRITE]
    assert steps(runner, tmp_path) == ["umount", READ_WRITE, "sync -f", "umount", READ_ONLY]
    assert all(timeout is not None for timeout in runner.timeouts)


def test_what_discovery_did_not_mount_is_given_as_it_is(tmp_path: Path) -> None:
    runner = FakeRunner()
    with writable(Volume(str(tmp_path), "x"), runner, runtime=str(tmp_path / "run")) as root:
        assert root == str(tmp_path)
    assert runner.commands == []


def test_under_a_system_that_hibernates_nothing_is_written(tmp_path: Path) -> None:
    asked = "blkid -c /dev/null -t TYPE=swsuspend -o device"
    runner = FakeRunner({asked: Completed((), 0, "/dev/vda3\n"), **BLKID})
    with (
        pytest.raises(ChainbootError, match="a system hibernates on /dev/vda3"),
        writable(volume(tmp_path), runner, runtime=str(tmp_path)),
    ):
        pass
    assert steps(runner, tmp_path) == []


def sysfs(tmp_path: Path) -> str:
    """Disks vda and vdb of two partitions each, and a device of the mapper."""
    links = tmp_path / "class"
    links.mkdir()
    for path in ("vda", "vda/vda1", "vda/vda2", "vdb", "vdb/vdb1", "vdb/vdb2", "dm-0"):
        place = tmp_path / "devices" / path
        place.mkdir(parents=True)
        (place / "size").write_text("2048\n")
        if "/" in path:
            (place / "partition").write_text(f"{path[-1]}\n")
        (links / place.name).symlink_to(place)
    return str(links)


@pytest.mark.parametrize(
    ("device", "asked"),
    [
        ("/dev/vda2", "dm-0 vda vda1 vda2"),
        ("/dev/vdb", "dm-0 vdb vdb1 vdb2"),
        ("/dev/dm-0", "dm-0 vda vda1 vda2 vdb vdb1 vdb2"),
    ],
)
def test_a_system_that_hibernates_on_another_disk_does_not_matter(tmp_path: Path, device: str, asked: str) -> None:
    class Blkid(FakeRunner):
        """Finds one in the second disk's first partition, if it is to look there."""

        def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
            if argv[0] == "blkid" and "/dev/vdb1" in argv:
                return Completed(tuple(argv), 0, "/dev/vdb1\n")
            return super().__call__(argv, check=check, timeout=timeout)

    runner = Blkid(BLKID)
    disk = Volume(str(tmp_path), device, device, mounted=True)
    refused = False
    try:
        with writable(disk, runner, runtime=str(tmp_path / "run"), sys_block=sysfs(tmp_path)):
            pass
    except ChainbootError as error:
        assert "a system hibernates on /dev/vdb1" in error.message
        refused = True
    assert refused is ("vdb1" in asked)
    looked = [sorted(path[5:] for path in command[7:]) for command in runner.commands if "TYPE=swsuspend" in command]
    assert looked == ([] if refused else [asked.split()])


def test_a_look_for_swap_that_does_not_end_forbids_nothing(tmp_path: Path) -> None:
    class Hangs(FakeRunner):
        def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
            if "TYPE=swsuspend" in argv:
                raise ProcessError("blkid did not finish within 20 s")
            return super().__call__(argv, check=check, timeout=timeout)

    runner = Hangs(BLKID)
    with writable(volume(tmp_path), runner, runtime=str(tmp_path / "run")):
        assert steps(runner, tmp_path) == ["umount", READ_WRITE]


@pytest.mark.parametrize("kind", ["iso9660", "squashfs", "crypto_LUKS", ""])
def test_what_cannot_be_written_is_not_touched(tmp_path: Path, kind: str) -> None:
    runner = FakeRunner({"blkid": Completed((), 0, f"TYPE={kind}\n")})
    with (
        pytest.raises(ChainbootError, match="cannot be written"),
        writable(volume(tmp_path), runner, runtime=str(tmp_path)),
    ):
        pass
    assert steps(runner, tmp_path) == []


@pytest.mark.parametrize(
    ("failing", "message", "expected"),
    [
        ("umount", "cannot be written now: it is in use", ["umount"]),
        (READ_WRITE, "cannot be written: mount exited with 32", ["umount", READ_WRITE, "umount", READ_ONLY]),
        ("sync", "may not be on the disk", ["umount", READ_WRITE, "sync -f", "umount", READ_ONLY]),
        (READ_ONLY, "mount exited with 32", ["umount", READ_WRITE, "sync -f", "umount", READ_ONLY]),
    ],
)
def test_a_failure_is_said_and_it_ends_read_only(
    tmp_path: Path, failing: str, message: str, expected: list[str]
) -> None:
    runner = FakeRunner({**BLKID, failing: FAILED})
    with (
        pytest.raises(ChainbootError, match=message),
        writable(volume(tmp_path), runner, runtime=str(tmp_path / "run"), mounted=lambda root: root == str(tmp_path)),
    ):
        pass
    assert steps(runner, tmp_path) == expected
    with writable(volume(tmp_path), FakeRunner(BLKID), runtime=str(tmp_path / "run"), patience=0):
        pass  # the lock is free again


def test_what_was_taken_down_is_mounted_again(tmp_path: Path) -> None:
    """As after a jump that failed, where all volumes are down; /proc/self/mounts knows that this one is."""
    runner = FakeRunner({**BLKID, "umount": Completed((), 32, stderr="not mounted")})
    with writable(volume(tmp_path), runner, runtime=str(tmp_path / "run")):
        assert steps(runner, tmp_path) == ["umount", READ_WRITE]


def test_what_is_mounted_is_seen(tmp_path: Path) -> None:
    runner = FakeRunner({**BLKID, "umount": FAILED})
    with pytest.raises(ChainbootError, match="it is in use"), writable(volume("/proc"), runner, runtime=str(tmp_path)):
        pass
    assert steps(runner, "/proc") == ["umount"]


def test_written_but_not_read_only_again_is_told_from_a_failed_write(tmp_path: Path) -> None:
    for sync, expected in ((Completed((), 0), True), (FAILED, False)):
        runner = FakeRunner({**BLKID, READ_ONLY: FAILED, "sync": sync})
        with (
            pytest.raises(ChainbootError) as raised,
            writable(volume(tmp_path), runner, runtime=str(tmp_path / "run")),
        ):
            pass
        assert isinstance(raised.value, NotReadOnlyError) is expected
        assert ("may not be on the disk" in raised.value.message) is not expected


def test_what_the_disk_itself_may_still_hold_is_said(tmp_path: Path) -> None:
    """syncfs(2) of FAT does not flush the disk's cache: that is asked for, of the root directory."""
    root = tmp_path / "gone"
    runner = FakeRunner(BLKID)
    root.mkdir()
    with (
        pytest.raises(ChainbootError, match="may not be on the disk: no such file or directory"),
        writable(volume(root), runner, runtime=str(tmp_path / "run")),
    ):
        root.rmdir()
        root.symlink_to(tmp_path / "nowhere")
    assert steps(runner, root) == ["umount", READ_WRITE, "sync -f", "umount", READ_ONLY]


def test_what_fails_inside_is_what_is_said_and_it_ends_read_only(tmp_path: Path) -> None:
    for answers in (BLKID, {**BLKID, "sync": FAILED}, {**BLKID, READ_ONLY: FAILED}):
        runner = FakeRunner(answers)
        with (
            pytest.raises(KeyboardInterrupt),
            writable(volume(tmp_path), runner, runtime=str(tmp_path / "run")),
        ):
            raise KeyboardInterrupt
        assert steps(runner, tmp_path) == ["umount", READ_WRITE, "sync -f", "umount", READ_ONLY]


class BusyLater(FakeRunner):
    """The second umount finds a program that has come in meanwhile."""

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        if argv[0] == "umount" and any(command[0] == "umount" for command in self.commands):
            self.answers = {**self.answers, "umount": FAILED}
        return super().__call__(argv, check=check, timeout=timeout)


def test_who_comes_in_meanwhile_keeps_a_read_only_mount(tmp_path: Path) -> None:
    runner = BusyLater(BLKID)
    with writable(volume("/proc"), runner, runtime=str(tmp_path)):  # something that is a mount point
        pass
    assert steps(runner, "/proc") == ["umount", READ_WRITE, "sync -f", "umount", "mount -o remount,ro"]


def test_many_read_and_nobody_writes_meanwhile(tmp_path: Path) -> None:
    runner = FakeRunner(BLKID)
    with reading(str(tmp_path)), reading(str(tmp_path)):
        start = time.monotonic()
        with (
            pytest.raises(ChainbootError, match=r"another session loads or writes on the disks since 0\.1 s"),
            writable(volume(tmp_path), runner, runtime=str(tmp_path), patience=0.1),
        ):
            pass
        assert time.monotonic() - start < 5
    assert steps(runner, tmp_path) == []
    with (
        writable(volume(tmp_path), runner, runtime=str(tmp_path)),
        pytest.raises(ChainbootError, match="another session writes"),
        reading(str(tmp_path), patience=0),
    ):
        pass


def test_it_waits_for_who_reads(tmp_path: Path) -> None:
    holder = os.open(tmp_path / "mounts", os.O_RDWR | os.O_CREAT)
    fcntl.flock(holder, fcntl.LOCK_SH)
    child = os.fork()
    if child == 0:
        time.sleep(0.3)
        os._exit(0)  # the lock is one of the open file, which both have
    os.close(holder)
    with writable(volume(tmp_path), FakeRunner(BLKID), runtime=str(tmp_path), patience=20):
        assert os.waitpid(child, os.WNOHANG) != (0, 0)


# Each runs in a mount namespace of its own: argv is a device and a directory.
BEGIN = """
import os, sys
from chainboot.boot.volume import Volume
from chainboot.boot.discovery import mount_arguments
from chainboot.boot.writable import writable
from chainboot.errors import ChainbootError
from chainboot.process import run

device, base = sys.argv[1:]
root = base + "/m"
os.makedirs(root, exist_ok=True)
run(mount_arguments(device.removeprefix("/dev/"), "ext4", root), check=True)
volume = Volume(root, "disk", device, mounted=True)
def read_only():
    return bool(os.statvfs(root).f_flag & os.ST_RDONLY) and os.path.exists(root + "/lost+found")
def refusal():
    try:
        with writable(volume, run, runtime=base):
            return ""
    except ChainbootError as error:
        return str(error)
assert read_only()
"""
WRITTEN = """
with writable(volume, run, runtime=base):
    assert not read_only()
    with open(root + "/written", "w") as file:
        file.write("x")
assert read_only() and os.path.exists(root + "/written")
with open(root + "/written") as file:
    assert "it is in use" in refusal()
    assert read_only()
run(["umount", root], check=True)
with writable(volume, run, runtime=base):
    assert not read_only()
assert read_only()
with writable(volume, run, runtime=base):
    held = open(root + "/written")  # who comes in meanwhile
assert read_only()
"""
PROTECTED = """
assert "the disk is write-protected" in refusal()
assert read_only()
"""


@pytest.mark.parametrize(("options", "script"), [((), WRITTEN), (("--read-only",), PROTECTED)])
def test_a_real_disk_ends_read_only(tmp_path: Path, options: Sequence[str], script: str) -> None:
    needed = ("unshare", "mke2fs", "losetup", "mount", "blkid")
    if os.geteuid() != 0 or any(shutil.which(name) is None for name in needed):
        pytest.skip(f"only root can mount, with {', '.join(needed)}")
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no mount namespaces here")
    image = tmp_path / "disk"
    image.write_bytes(b"")
    os.truncate(image, 8 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", str(image)], check=True)
    attach = ["losetup", *options, "--find", "--show", str(image)]
    loop = subprocess.run(attach, check=False, capture_output=True, text=True)
    if loop.returncode != 0:
        pytest.skip(f"no loop device: {loop.stderr.strip()}")
    try:
        done = subprocess.run(
            ["unshare", "-m", sys.executable, "-c", BEGIN + script, loop.stdout.strip(), str(tmp_path)],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        )
        assert done.returncode == 0, done.stderr
    finally:
        subprocess.run(["losetup", "-d", loop.stdout.strip()], check=True)
