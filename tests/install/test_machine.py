"""What an install notices of the machine: a disk that zipl would damage, devices, hooks, a kernel's configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import FakeRunner
from install.volumes import GIVEN, Box, Zipl
from nixos import INITRD

from chainboot.errors import ChainbootError
from chainboot.install.command import Request, install
from chainboot.install.panic import NAME, TEXT, find_panic_rule
from chainboot.process import Completed


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def on(box: Box, kind: str, *, partition: bool) -> None:
    box.mounts.write_text(f"22 1 94:1 / {box.boot} rw - {kind} /dev/dasda rw\n")
    if not partition:
        (box.sysfs / "dev/block/94:1/partition").unlink()


@pytest.mark.parametrize("kind", ["xfs", "vfat"])
def test_a_file_system_that_zipl_would_overwrite(box: Box, kind: str) -> None:
    on(box, kind, partition=False)
    with pytest.raises(ChainbootError) as refused:
        box.install("a")
    assert refused.value.message == (
        f"{box.boot} is on /dev/dasda, which has no partition table, and zipl would overwrite the start of its {kind}: "
        "put the volume on a partition, or make it ext4"
    )
    assert box.tree() == {}
    assert box.runs == []


@pytest.mark.parametrize(("kind", "partition"), [("xfs", True), ("ext2", False), ("ext3", False), ("ext4", False)])
def test_a_file_system_that_stays_whole(box: Box, kind: str, partition: bool) -> None:
    on(box, kind, partition=partition)
    box.install("a")
    assert box.boots(1, "a")


# The kernel's configuration.

UNKNOWN = "whether this kernel has kexec could not be checked: there is no config-VERSION beside it"


@pytest.mark.parametrize("place", ["beside", "real", "boot"])
@pytest.mark.parametrize("text", ["CONFIG_KEXEC=y\n", "CONFIG_S390=y\n"])
def test_where_a_configuration_is_found(box: Box, place: str, text: str) -> None:
    kernel = Path(box.sources("a")[0])
    (box.top / "config-6.1.0-a").unlink()
    real = box.top / "real"
    real.mkdir()
    (box.top / "kernels").mkdir()
    directory = {"beside": box.top, "real": real, "boot": box.top / "kernels"}[place]
    (directory / "config-6.1.0-a").write_text(text)
    kernel.rename(real / "kernel")
    kernel.symlink_to(real / "kernel")
    request = Request(str(box.boot), str(kernel), str(box.top / "a-initrd"), GIVEN, True)
    if text.startswith("CONFIG_KEXEC"):
        assert UNKNOWN not in install(request, FakeRunner(), box.said.append, machine=box.machine)
    else:
        with pytest.raises(ChainbootError, match="cannot start another one"):
            install(request, FakeRunner(), box.said.append, machine=box.machine)


def test_without_a_configuration_it_is_said(box: Box) -> None:
    kernel, initrd = box.sources("a")
    (box.top / "config-6.1.0-a").unlink()
    request = Request(str(box.boot), kernel, initrd, GIVEN, True)
    plan = install(request, FakeRunner(), box.said.append, machine=box.machine)
    assert f"  note: {UNKNOWN}\n" in plan


# Devices.


def ccw(box: Box, bus: str, driver: str, inner: str) -> Path:
    """A block device below a channel device; returns its directory in sysfs."""
    device = box.sysfs / f"devices/css0/0.0.0007/{bus}"
    (device / inner).mkdir(parents=True)
    (box.sysfs / f"bus/ccw/drivers/{driver}").mkdir(parents=True, exist_ok=True)
    (device / "driver").symlink_to(box.sysfs / f"bus/ccw/drivers/{driver}")
    (device / inner / "partition").write_text("1\n")
    return device / inner


def under(box: Box, directory: Path) -> None:
    link = box.sysfs / "dev/block/94:1"
    (link / "partition").unlink()
    link.rmdir()
    link.symlink_to(directory)


def words(box: Box, parameters: str | None = GIVEN) -> list[str]:
    box.install("a", parameters)
    return [line for line in box.said if "online" in line]


def said(bus: str, word: str) -> list[str]:
    them = "themselves" if "," in bus else "itself"
    return [
        f"the first stage must set {bus} online {them}: add chainboot.s390x.devices={word} to --parameters "
        f"(or s390x.devices={word} with `chainboot image --set`)"
    ]


@pytest.mark.parametrize("driver", ["dasd-eckd", "dasd-fba"])
def test_a_dasd(box: Box, driver: str) -> None:
    under(box, ccw(box, "0.0.0100", driver, "block/dasda/dasda1"))
    assert words(box, None) == said("0.0.0100", "dasd:0.0.0100")
    assert words(box, "chainboot.s390x.devices=dasd:0.0.0100") == []


def test_an_fcp_adapter(box: Box) -> None:
    disk = ccw(box, "0.0.1900", "zfcp", "host0/0:0:0:1/block/sda/sda1")
    under(box, disk)
    assert words(box) == said("0.0.1900", "zfcp:0.0.1900")
    (disk.parents[2] / "wwpn").write_text("0x500507630300c562\n")
    (disk.parents[2] / "fcp_lun").write_text("0x4010403300000000\n")
    assert words(box) == said("0.0.1900", "zfcp:0.0.1900:0x500507630300c562:0x4010403300000000")


def test_a_disk_of_the_device_mapper(box: Box) -> None:
    below = ccw(box, "0.0.0100", "dasd-eckd", "block/dasda/dasda1")
    mapped = box.sysfs / "devices/virtual/block/dm-0"
    (mapped / "slaves").mkdir(parents=True)
    (mapped / "slaves/dasda1").symlink_to(below)
    under(box, mapped)
    assert words(box) == said("0.0.0100", "dasd:0.0.0100")


def test_a_network(box: Box) -> None:
    group = box.sysfs / "bus/ccwgroup/drivers/qeth"
    (group / "0.0.0600").mkdir(parents=True)
    (group / "uevent").write_text("")
    assert words(box) == said("0.0.0600", "qeth:0.0.0600")
    for place, bus in enumerate(("0.0.0600", "0.0.0601", "0.0.0700")):
        (box.sysfs / bus).mkdir()
        (group / f"0.0.0600/cdev{place}").symlink_to(box.sysfs / bus)
    assert words(box) == said("0.0.0600", "qeth:0.0.0600:0.0.0601:0.0.0700")


def test_virtio_needs_nothing(box: Box) -> None:
    under(box, ccw(box, "0.0.0000", "virtio_ccw", "virtio0/block/vda/vda1"))
    assert words(box) == []


# zipl.


def test_a_zipl_that_could_not_sync_has_failed(box: Box) -> None:
    class Unsure(Zipl):
        def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
            done = super().__call__(argv, check=check, timeout=timeout)
            dry = "--dry-run" in argv or "--version" in argv
            return Completed(done.argv, 0, "", "" if dry else "Warning: Could not sync device file /dev/dasda: EIO\n")

    box.install("a")
    with pytest.raises(ChainbootError, match="zipl could not write all of it to the disk; the machine may start the "):
        box.install("b", zipl=Unsure)
    assert box.names("zipl") == ["1", "2"]


def test_debians_hooks(box: Box) -> None:
    box.install("a")
    assert not any("Debian" in line for line in box.said)
    (box.top / "zipl.conf").symlink_to("/nowhere")
    box.install("a")
    assert box.said[0] == (
        f"Debian's kernel hooks run zipl with {box.top}/zipl.conf after each update, which would take chainboot off "
        "this disk again: remove or rename it"
    )


@pytest.mark.parametrize(
    ("data", "why"), [(b"", "the file is empty"), (b"<html>", "it is no initrd (neither cpio nor compressed)")]
)
def test_skip_without_an_initrd_that_is_one(box: Box, data: bytes, why: str) -> None:
    (box.boot / "nixos" / INITRD).write_bytes(data)
    box.install("a")
    assert f"skip is left out: nixos-default: initrd: /nixos/{INITRD}: {why}" in box.said
    assert box.boots(1, "a")


# The panic action.


@pytest.mark.parametrize(
    ("file", "text", "written"),
    [
        ("run/tmpfiles.d/x.conf", "w /sys/firmware/shutdown_actions/on_panic - - - - dump_reipl\n", False),
        ("lib/tmpfiles.d/x.conf", "# \nw- /sys/firmware/shutdown_actions/on_panic - - - - stop\n", False),
        ("lib/tmpfiles.d/x.conf", "# w- /sys/firmware/shutdown_actions/on_panic - - - - stop\n", True),
        ("lib/tmpfiles.d/x.txt", "w- /sys/firmware/shutdown_actions/on_panic - - - - stop\n", True),
        ("tmpfiles.d/dumpconf.conf", "w- /sys/firmware/shutdown_actions/on_panic - - - - stop\n", False),
    ],
)
def test_a_rule_that_is_there_under_any_name(box: Box, file: str, text: str, written: bool) -> None:
    (box.tmpfiles / NAME).unlink()
    (box.top / file).parent.mkdir(parents=True, exist_ok=True)
    (box.top / file).write_text(text)
    box.install("a")
    assert (box.tmpfiles / NAME).exists() == written


def test_the_rule_can_be_read_by_all_and_is_on_the_disk(box: Box) -> None:
    (box.tmpfiles / NAME).unlink()
    plan = box.install("a", dry_run=True)
    assert f"    sync {box.tmpfiles}\n" in plan
    box.install("a")
    assert (box.tmpfiles / NAME).read_text() == TEXT
    assert (box.tmpfiles / NAME).stat().st_mode & 0o777 == 0o644


def test_a_directory_in_the_store_is_not_written(tmp_path: Path) -> None:
    store, place = tmp_path / "store", tmp_path / "tmpfiles.d"
    (store / "etc").mkdir(parents=True)
    place.symlink_to(store / "etc")
    assert find_panic_rule([str(place)]).path == f"{place}/{NAME}"
    found = find_panic_rule([str(place)], store=str(store))
    assert found.path == ""
    assert f"{place} cannot be written" in found.note
