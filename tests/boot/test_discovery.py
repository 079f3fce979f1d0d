"""Discovery over a made-up /sys/class/block: what is probed, how it is mounted, and what a bad disk costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fakes import FakeRunner
from nixos import usual_conf, write_root

from chainboot.boot.discovery import block_devices, discover, probe
from chainboot.process import Completed


@pytest.fixture
def sys_block(tmp_path: Path) -> Path:
    base = tmp_path / "sys"
    for name, sectors in {"vda10": 8, "vda2": 8, "vda": 8, "sr0": 0, "loop0": 8, "ram0": 8, "nvme0n1p1": 8}.items():
        (base / name).mkdir(parents=True)
        (base / name / "size").write_text(f"{sectors}\n")
    (base / "odd").mkdir()
    return base


def blkid(**types: str) -> dict[str, Completed]:
    return {
        f"blkid -p -o export /dev/{device}": Completed((), 0, f"DEVNAME=/dev/{device}\nTYPE={kind}\nLABEL=my\\ disk\n")
        for device, kind in types.items()
    }


def test_devices_come_in_natural_order_without_what_holds_no_disk(sys_block: Path) -> None:
    assert block_devices(str(sys_block)) == ("nvme0n1p1", "vda", "vda2", "vda10")
    assert block_devices(str(sys_block / "none")) == ()


@pytest.mark.parametrize(
    ("kind", "driver", "options"),
    [
        ("ext2", "ext4", "ro,nodev,nosuid,noexec,noload"),
        ("ext4", "ext4", "ro,nodev,nosuid,noexec,noload"),
        ("xfs", "xfs", "ro,nodev,nosuid,noexec,norecovery"),
        ("btrfs", "btrfs", "ro,nodev,nosuid,noexec,rescue=nologreplay"),
        ("vfat", "vfat", "ro,nodev,nosuid,noexec"),
    ],
)
def test_mounts_are_read_only_and_replay_no_journal(
    sys_block: Path, tmp_path: Path, kind: str, driver: str, options: str
) -> None:
    runner = FakeRunner(blkid(vda2=kind))
    found = discover(runner, sys_block=str(sys_block), mounts=str(tmp_path / "m"))
    mounts = [command for command in runner.commands if command[0] == "mount"]
    assert mounts == [("mount", "-t", driver, "-o", options, "/dev/vda2", f"{tmp_path}/m/vda2")]
    assert [volume.name for volume in found.volumes] == [f"/dev/vda2 ({kind}, my disk)"]
    assert all(timeout is not None for timeout in runner.timeouts)


def test_configurations_are_read_from_what_was_mounted(sys_block: Path, tmp_path: Path) -> None:
    write_root(tmp_path / "m/vda2", usual_conf())
    found = discover(FakeRunner(blkid(vda2="ext4")), sys_block=str(sys_block), mounts=str(tmp_path / "m"))
    assert [configuration.path for configuration in found.configurations] == ["/boot/extlinux/extlinux.conf"]
    assert found.configurations[0].volume.mounted
    assert found.problems == ()


def test_a_disk_that_cannot_be_mounted_costs_itself(sys_block: Path, tmp_path: Path) -> None:
    write_root(tmp_path / "m/vda2", usual_conf())
    answers = {
        **blkid(vda="ext4", vda2="ext4"),
        f"mount -t ext4 -o ro,nodev,nosuid,noexec,noload /dev/vda {tmp_path}/m/vda": Completed(
            (), 32, stderr="wrong fs type, bad superblock\x1b[2J"
        ),
    }
    # The longer command line starts with the shorter one, so the failing device must be the one that is named last.
    answers = {
        f"mount -t ext4 -o ro,nodev,nosuid,noexec,noload /dev/vda2 {tmp_path}/m/vda2": Completed((), 0),
        **answers,
    }
    found = discover(FakeRunner(answers), sys_block=str(sys_block), mounts=str(tmp_path / "m"))
    assert len(found.configurations) == 1
    assert found.problems == (
        "/dev/vda: mount exited with 32: wrong fs type, bad superblock\N{REPLACEMENT CHARACTER}[2J",
    )


def test_a_configuration_that_cannot_be_read_costs_itself(sys_block: Path, tmp_path: Path) -> None:
    write_root(tmp_path / "m/vda2", usual_conf())
    (tmp_path / "m/vda2/boot/extlinux/extlinux.conf").unlink()
    (tmp_path / "m/vda2/boot/extlinux/extlinux.conf").mkdir()
    (tmp_path / "m/vda2/extlinux.conf").write_text("LABEL x\nLINUX k\n")
    found = discover(FakeRunner(blkid(vda2="ext4")), sys_block=str(sys_block), mounts=str(tmp_path / "m"))
    assert [configuration.path for configuration in found.configurations] == ["/extlinux.conf"]
    assert found.problems == ("/dev/vda2 (ext4, my disk): /boot/extlinux/extlinux.conf is a directory, not a file",)


@pytest.mark.parametrize(
    ("types", "devices", "summary"),
    [
        ({}, {}, "no disk was found"),
        ({}, {"vda": 8}, "no file system was found on vda"),
        ({"vda": "crypto_LUKS"}, {"vda": 8}, "no file system was found on vda"),
        ({"vda": "ext4"}, {"vda": 8}, "no extlinux configuration was found on /dev/vda (ext4, my disk)"),
    ],
)
def test_why_there_is_nothing_to_boot(
    tmp_path: Path, types: dict[str, str], devices: dict[str, int], summary: str
) -> None:
    for name, sectors in devices.items():
        (tmp_path / "sys" / name).mkdir(parents=True)
        (tmp_path / "sys" / name / "size").write_text(str(sectors))
    found = discover(FakeRunner(blkid(**types)), sys_block=str(tmp_path / "sys"), mounts=str(tmp_path / "m"))
    assert found.summary() == summary


def test_probe_reads_blkid_and_takes_its_no_for_an_answer() -> None:
    runner = FakeRunner({"blkid": Completed((), 2)})
    assert probe("vda", runner) == {}
    assert probe("vda", FakeRunner(blkid(vda="ext4")))["LABEL"] == "my disk"


def test_a_disk_that_another_console_has_just_mounted_is_taken_as_it_is(
    sys_block: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_root(tmp_path / "m/vda2", usual_conf())
    mounted: list[str] = []
    answers = {**blkid(vda2="ext4"), "mount": Completed((), 255, stderr="Device or resource busy")}
    runner = FakeRunner(answers)

    def ismount(path: str) -> bool:
        mounted.append(path)
        return len(mounted) > 1

    monkeypatch.setattr("os.path.ismount", ismount)
    found = discover(runner, sys_block=str(sys_block), mounts=str(tmp_path / "m"))
    assert len(found.configurations) == 1
    assert found.problems == ()


# -- mounts that somebody left writable: real ones, in a mount namespace of their own

APART = """
import os, sys
sys.path[:0] = {path!r}
from fakes import FakeRunner
from chainboot.boot.discovery import discover
from chainboot.process import Completed, run

base = {base!r}
ran = []
def runner(argv, *, check, timeout=None):
    if argv[0] == "blkid":
        return Completed(tuple(argv), 0, "TYPE=ext4\\n")
    ran.append(" ".join(argv).replace(base, ""))
    return run(argv, check=check, timeout=timeout)
def mount(*argv):
    run(("mount", *argv), check=True)
def read_only(place):
    return bool(os.statvfs(base + place).f_flag & os.ST_RDONLY)
def disk(name):
    os.makedirs(base + "/sys/" + name)
    open(base + "/sys/" + name + "/size", "w").write("8")
    os.makedirs(base + "/m/" + name)
    return base + "/m/" + name
def new(place):
    mount("-t", "tmpfs", "none", place)
    open(place + "/extlinux.conf", "w").write("LABEL x\\nLINUX k\\n")
def look():
    del ran[:]
    return discover(runner, sys_block=base + "/sys", mounts=base + "/m")
os.makedirs(base + "/root")
"""


def apart(tmp_path: Path, script: str) -> None:
    """Run the script, with mounts that end with it."""
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("needs root and mount namespaces (unshare --mount)")
    begin = APART.format(path=sys.path, base=str(tmp_path))
    argv = ["unshare", "--mount", sys.executable, "-c", begin + script]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_a_killed_writer_left_writable_is_made_read_only(tmp_path: Path) -> None:
    apart(
        tmp_path,
        """
new(disk("vda"))
assert not read_only("/m/vda")
found = look()
assert ran == ["mount -o remount,ro /m/vda"], ran
assert read_only("/m/vda")
assert (len(found.configurations), found.problems) == (1, ()), found
look()
assert ran == [], "it is read-only now"
""",
    )


def test_what_cannot_be_made_read_only_is_said_and_shown_all_the_same(tmp_path: Path) -> None:
    apart(
        tmp_path,
        """
new(disk("vda"))
with open(base + "/m/vda/written", "w"):
    found = look()
assert not read_only("/m/vda")
assert len(found.configurations) == 1, found
(problem,) = found.problems
assert problem.startswith("/dev/vda (ext4) may still be mounted writable: mount exited with 32"), problem
""",
    )


def test_a_system_in_which_a_person_is_at_work_stays_writable(tmp_path: Path) -> None:
    apart(
        tmp_path,
        """
new(base + "/root")
view = disk("vda")
mount("-o", "bind", base + "/root", view)
assert len(look().configurations) == 1
assert ran == ["mount -o remount,bind,ro,nodev,nosuid,noexec none /m/vda"], ran
assert read_only("/m/vda")
assert not read_only("/root")
look()
assert ran == []
""",
    )


def test_names_with_a_blank_are_known_again(tmp_path: Path) -> None:
    apart(
        tmp_path / "a b",
        """
new(base + "/root")
mount("-o", "bind", base + "/root", disk("vda"))
look()
assert ran == ["mount -o remount,bind,ro,nodev,nosuid,noexec none /m/vda"], ran
assert not read_only("/root")
""",
    )


def test_two_views_of_one_file_system_are_not_taken_for_a_person(tmp_path: Path) -> None:
    apart(
        tmp_path,
        """
new(disk("vda"))
mount("-o", "bind", base + "/m/vda", disk("vdb"))
look()
assert ran[0] == "mount -o remount,ro /m/vda", ran
assert read_only("/m/vda")
assert read_only("/m/vdb")
""",
    )
