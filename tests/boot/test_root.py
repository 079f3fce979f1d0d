"""Which file systems a system is made of: as a person, the command line or the generation's fstab says."""

from __future__ import annotations

from pathlib import Path

import pytest
from nixos import KERNEL, SYSTEM, write_root

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.fstab import Device, as_device, find_device, parse_fstab
from chainboot.boot.root import Mount, Root, find_root
from chainboot.boot.volume import Volume, read_configuration
from chainboot.errors import ChainbootError, NotFoundError, RefusedError

ROOT = Device("/dev/vda2", "ext4", uuid="0a1B", label="nixos", partuuid="99-02", partlabel="root part")
BOOT = Device("/dev/vda1", "vfat", uuid="ABCD-1234", label="BOOT")
OTHER = Device("/dev/vdb", "ext4", uuid="77")
ETC = "/nix/store/2s0a-etc/etc"
FSTAB = "/nix/store/9zz1-etc-fstab"


class Disk:
    """A made-up disk: directories in the place of mounted file systems."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.volumes: list[Volume] = []

    def volume(self, device: Device) -> Path:
        root = self.base / device.path.rpartition("/")[2]
        root.mkdir()
        self.volumes.append(Volume(str(root), device.path, device.path, mounted=True, uuid=device.uuid))
        return root

    def candidate(self, append: str, *, at: int = 0, boot: str = "boot/") -> Candidate:
        volume = self.volumes[at]
        write_root(Path(volume.root), f"LABEL x\nLINUX ../nixos/{KERNEL}\nAPPEND {append}\n", boot=boot)
        return candidates([read_configuration(volume, f"/{boot}extlinux/extlinux.conf")])[0]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def generation(nix: Path, fstab: str | None) -> None:
    """What `init=` leads to, with the links that NixOS makes: they are written for the running system."""

    def place(path: str) -> Path:
        return nix / path.removeprefix("/nix/")

    place(SYSTEM).mkdir(parents=True)
    if fstab is not None:
        (place(SYSTEM) / "etc").symlink_to(ETC)
        place(ETC).mkdir(parents=True)
        (place(ETC) / "fstab").symlink_to(FSTAB)
        place(FSTAB).write_text(fstab)


INIT = f"init={SYSTEM}/init loglevel=4"


def places(root: Root) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(mount.place, mount.device, mount.options) for mount in root.mounts]


@pytest.mark.parametrize(
    "spec",
    [
        "UUID=0A1b",
        "LABEL=nixos",
        "PARTUUID=99-02",
        "/dev/vda2",
        "/dev/disk/by-uuid/0a1B",
        "/dev/disk/by-label/nixos",
        "PARTLABEL=root part",
        "/dev/disk/by-partlabel/root\\x20part",
    ],
)
def test_every_way_to_name_a_device(spec: str) -> None:
    assert find_device(spec, (BOOT, ROOT, OTHER)) == ROOT


@pytest.mark.parametrize("spec", ["UUID=", "LABEL=", "UUID", "", "/dev/mapper/crypt", "ZFS=rpool", "/dev/disk/by-id/x"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(spec: str) -> None:
    with pytest.raises(NotFoundError) as raised:
        find_device(spec, (Device("/dev/vda2", "crypto_LUKS"), Device("/dev/vdb")))
    assert str(raised.value) == f"there is no {spec} here"
    assert raised.value.hint is not None
    assert raised.value.hint.endswith("the disks: /dev/vda2 (crypto_LUKS), /dev/vdb (unknown)")


def test_two_disks_of_one_name_are_a_question_unless_they_are_one_btrfs() -> None:
    twins = (Device("/dev/a", "ext4", uuid="1", label="x"), Device("/dev/b", "ext4", uuid="1", label="x"))
    for spec in ("UUID=1", "LABEL=x"):
        with pytest.raises(RefusedError, match=f"{spec} is not one device but 2: /dev/a, /dev/b"):
            find_device(spec, twins)
    parts = (Device("/dev/a", "btrfs", uuid="1"), Device("/dev/b", "btrfs", uuid="1"))
    assert find_device("UUID=1", parts).path == "/dev/a"


def test_fstab_fields_are_unescaped_and_damage_costs_its_line() -> None:
    lines = parse_fstab("# UUID=1 / ext4\n\nLABEL=a\\040b /m\\303\\274 ext4\nx\n/dev/a /\\999 xfs noatime,ro 0 1\n")
    assert [(line.spec, line.place, line.options) for line in lines] == [
        ("LABEL=a b", "/mü", ("",)),
        ("/dev/a", "/\\999", ("noatime", "ro")),
    ]


def test_blkid_names_become_a_device() -> None:
    facts = {"TYPE": "ext4", "UUID": "u", "LABEL": "l", "PART_ENTRY_UUID": "p", "PART_ENTRY_NAME": "n"}
    assert as_device("/dev/x", facts) == Device("/dev/x", "ext4", "u", "l", "p", "n")
    assert as_device("/dev/x", {}) == Device("/dev/x")


def test_root_on_the_command_line(disk: Disk) -> None:
    base = disk.volume(ROOT)
    candidate = disk.candidate("root=LABEL=nixos ro rootflags=noatime,errors=panic init=/sbin/init")
    (base / "etc").mkdir()
    (base / "etc/fstab").write_text("LABEL=nixos / ext4 defaults\nUUID=ABCD-1234 /boot/efi vfat umask=0077 0 2\n")
    (base / "usr/bin").mkdir(parents=True)
    (base / "usr/bin/bash").write_text("")
    found = find_root(candidate, disk.volumes, (ROOT, BOOT))
    assert places(found) == [
        ("/", "/dev/vda2", ("noatime",)),
        ("/boot/efi", "/dev/vda1", ("umask=0077",)),
    ]
    assert found.toplevel is None
    assert found.command == ("/usr/bin/bash",)
    assert [mount.needed for mount in found.mounts] == [True, False]


def test_a_nixos_generation_says_in_its_fstab_what_it_is_made_of(disk: Disk) -> None:
    generation(disk.volume(ROOT) / "nix", "UUID=0a1B / ext4 x-initrd.mount 0 1\nUUID=ABCD-1234 /boot vfat fmask=0022\n")
    disk.volume(BOOT)
    found = find_root(disk.candidate(f"{INIT} root=fstab", at=1, boot=""), disk.volumes, (ROOT, BOOT))
    assert places(found) == [("/", "/dev/vda2", ()), ("/boot", "/dev/vda1", ("fmask=0022",))]
    assert found.toplevel == SYSTEM
    assert found.command == (f"{SYSTEM}/sw/bin/bash", "--login")
    path = dict(found.environment)["PATH"].split(":")
    assert path[0] == f"{SYSTEM}/sw/bin"
    # chroot(8) itself is looked for there.
    assert path[-4:] == ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]


def test_a_nix_of_its_own_and_a_root_in_memory(disk: Disk) -> None:
    generation(
        disk.volume(OTHER),
        "none / tmpfs size=2G,mode=755\n/dev/vdb /nix ext4 noatime,ro 0 2\n/dev/vda1 /boot vfat ro,nofail 0 2\n"
        "/dev/vdc /data ext4 defaults\n/nix/persist /var none bind\n/dev/vdb /proc/x ext4\n/dev/x none swap\n"
        "/dev/vda1 /backup vfat noauto\n/dev/vda1 /auto vfat noauto,x-systemd.automount\n/dev/vdb /a/../b ext4\n",
    )
    found = find_root(disk.candidate(INIT), disk.volumes, (OTHER, BOOT))
    assert found.mounts[:2] == (
        Mount("tmpfs", "tmpfs", "/", ("size=2G", "mode=755")),
        Mount("/dev/vdb", "ext4", "/nix", ("noatime",)),
    )
    assert places(found)[2:] == [("/boot", "/dev/vda1", ("ro",)), ("/auto", "/dev/vda1", ())]
    assert found.remarks == (
        "/data is left out: there is no /dev/vdc here",
        "/var is left out: there is no /nix/persist here",
        "/a/../b is left out: the fstab is not one that can be followed",
    )


@pytest.mark.parametrize("nix", ["@nix", "@/nix", "nix"])
def test_btrfs_subvolumes_come_from_the_fstab(disk: Disk, nix: str) -> None:
    device = Device("/dev/vda2", "btrfs", uuid="b")
    base = disk.volume(device)
    (base / nix).mkdir(parents=True)
    generation(base / nix, "UUID=b / btrfs subvol=@,compress=zstd\nUUID=b /nix btrfs subvol=@nix,noatime\n")
    found = find_root(disk.candidate(INIT), disk.volumes, (device,))
    assert places(found) == [
        ("/", "/dev/vda2", ("subvol=@", "compress=zstd")),
        ("/nix", "/dev/vda2", ("subvol=@nix", "noatime")),
    ]
    assert not found.mounts[0].whole


def test_without_an_fstab_the_volume_of_the_generation_is_the_root(disk: Disk) -> None:
    base = disk.volume(ROOT)
    generation(base / "nix", None)
    (base / "etc").mkdir()
    disk.volume(BOOT)
    found = find_root(disk.candidate(INIT, at=1, boot=""), disk.volumes, (ROOT, BOOT))
    assert places(found) == [("/", "/dev/vda2", ()), ("/boot", "/dev/vda1", ())]
    assert not found.mounts[1].needed


def test_without_an_fstab_a_subvolume_with_nix_and_etc_is_the_root(disk: Disk) -> None:
    device = Device("/dev/vda2", "btrfs", uuid="b")
    base = disk.volume(device)
    (base / "rootfs/etc").mkdir(parents=True)
    generation(base / "rootfs/nix", None)
    assert places(find_root(disk.candidate(INIT), disk.volumes, (device,)))[0][2] == ("subvol=/rootfs",)


def test_what_cannot_be_told_is_asked_with_what_there_is_to_choose(disk: Disk) -> None:
    device = Device("/dev/vda2", "btrfs", uuid="b")
    base = disk.volume(device)
    (base / "@").mkdir()
    generation(base / "@nix", None)
    candidate = disk.candidate(INIT)
    with pytest.raises(RefusedError) as raised:
        find_root(candidate, disk.volumes, (device,))
    assert str(raised.value) == "x: its store is on /dev/vda2, but nothing says which file system is the root"
    assert raised.value.hint is not None
    assert raised.value.hint.endswith("directories that may be subvolumes: @, @nix, boot")
    found = find_root(candidate, disk.volumes, (device,), device="/dev/vda2", subvol="@")
    assert places(found) == [("/", "/dev/vda2", ("subvol=@",))]


def test_two_copies_of_a_generation_are_a_question(disk: Disk) -> None:
    for device in (ROOT, OTHER):
        base = disk.volume(device)
        generation(base / "nix", None)
        (base / "etc").mkdir()
    candidate = disk.candidate(INIT)
    with pytest.raises(RefusedError, match="x: its generation is in several places: /dev/vda2 /nix, /dev/vdb /nix"):
        find_root(candidate, disk.volumes, (ROOT, OTHER))
    assert places(find_root(candidate, disk.volumes, (ROOT, OTHER), device="/dev/vdb"))[0][1] == "/dev/vdb"


@pytest.mark.parametrize(
    ("append", "devices", "message"),
    [
        ("quiet", (ROOT,), "x: neither root= nor init= on its command line leads to a root file system"),
        (INIT, (ROOT,), "x: neither root= nor init= on its command line leads to a root file system"),
        ("root=/dev/mapper/crypt", (ROOT,), "there is no /dev/mapper/crypt here"),
        (
            "root=/dev/vda2",
            (Device("/dev/vda2", "crypto_LUKS"),),
            "x: its root /dev/vda2 holds crypto_LUKS, which cannot be mounted for writing here",
        ),
        (
            "root=/dev/vda2",
            (Device("/dev/vda2", "squashfs"),),
            "x: its root /dev/vda2 holds squashfs, which cannot be mounted for writing here",
        ),
    ],
)
def test_why_there_is_no_root(disk: Disk, append: str, devices: tuple[Device, ...], message: str) -> None:
    disk.volume(ROOT)
    with pytest.raises(ChainbootError) as raised:
        find_root(disk.candidate(append), disk.volumes, devices)
    assert str(raised.value) == message


def test_a_root_without_its_generation_is_not_entered(disk: Disk) -> None:
    generation(disk.volume(ROOT) / "nix", None)
    disk.volume(OTHER)
    with pytest.raises(RefusedError, match=f"x: {SYSTEM} is not in the file systems that would be mounted"):
        find_root(disk.candidate(f"{INIT} root=/dev/vdb", at=1), disk.volumes, (ROOT, OTHER))


def test_a_generation_that_is_nowhere_is_said(disk: Disk) -> None:
    disk.volume(ROOT)
    found = find_root(disk.candidate(f"{INIT} root=/dev/vda2"), disk.volumes, (ROOT,))
    assert found.toplevel is None
    assert found.remarks == (f"{SYSTEM} is on no volume that can be read",)
    assert found.command == ("/bin/sh",)


@pytest.mark.parametrize("target", ["/etc", "../../../../../../etc", "/nix/store/../../etc", SYSTEM + "/etc"])
def test_the_links_of_a_hostile_generation_lead_nowhere(disk: Disk, target: str) -> None:
    base = disk.volume(ROOT)
    for etc in (base / "etc", base / "nix/etc"):
        etc.mkdir(parents=True)
        (etc / "fstab").write_text("/dev/vdb / ext4\n")
    generation(base / "nix", None)
    (base / "nix" / SYSTEM.removeprefix("/nix/") / "etc").symlink_to(target)
    assert places(find_root(disk.candidate(INIT), disk.volumes, (ROOT, OTHER)))[0][1] == "/dev/vda2"
