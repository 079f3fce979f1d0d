"""What `check` finds when it looks at the files."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernels import arm64_image, bzimage, s390x_image, vmlinux
from nixos import extlinux_conf, generation, label, usual_conf, write_root

from chainboot.boot.candidate import candidates
from chainboot.boot.inspection import findings
from chainboot.boot.volume import Volume, read_configuration
from chainboot.errors import Diagnostic

CONF = "/boot/extlinux/extlinux.conf"


def check(root: Path, path: str = CONF, machine: str = "x86_64") -> tuple[Diagnostic, ...]:
    configuration = read_configuration(Volume(str(root), "disk"), path)
    return findings([configuration], candidates([configuration]), machine)


def lines(found: tuple[Diagnostic, ...]) -> list[str]:
    return [finding.format().splitlines()[0].removeprefix(CONF) for finding in found]


def disk(tmp_path: Path, *bodies: str, **files: bytes) -> Path:
    """A disk whose entries a, b, ... have these bodies, and in /boot the files (with _ for -)."""
    blocks = [f"LABEL {chr(97 + n)}\n{body}\n" for n, body in enumerate(bodies)]
    root = write_root(tmp_path / "disk", "TIMEOUT 50\n" + "".join(blocks))
    for name, content in {"vmlinuz": bzimage(), "initrd": b"\x1f\x8b", **files}.items():
        (root / "boot" / name.replace("_", "-")).write_bytes(content)
    return root


X86, ARM, S390 = (f"LINUX ../{name}\nAPPEND root=x" for name in ("vmlinuz", "arm", "s390"))
GOOD = "LINUX ../vmlinuz\nINITRD ../initrd\nAPPEND root=/dev/vda1"


def test_a_good_configuration_has_no_finding(tmp_path: Path, nixos_root: Path) -> None:
    assert check(nixos_root) == ()
    assert check(disk(tmp_path / "other", GOOD, GOOD)) == ()


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (
            "LINUX ../gone\nAPPEND root=x",
            ":3:7: error: a cannot be booted: kernel: /boot/gone does not exist [missing-file]",
        ),
        (
            "LINUX ../vmlinuz\nINITRD ../nixos\nAPPEND root=x",
            ":4:8: error: a cannot be booted: initrd: /boot/nixos is a directory, not a file [missing-file]",
        ),
        (
            "LINUX ../vmlinuz\nAPPEND root=x initrd=/gone quiet",
            ":4:15: error: a cannot be booted: initrd: /gone does not exist [missing-file]",
        ),
        (
            "LINUX ../initrd\nAPPEND root=x",
            ":3:7: error: a cannot be booted: /boot/initrd: the file is a gzip file, not a kernel [not-a-kernel]",
        ),
        (
            "LINUX ../short\nAPPEND root=x",
            ":3:7: error: a cannot be booted: /boot/short: "
            "the kernel image is cut off: 1030 bytes of 1040 [unusable-kernel]",
        ),
        (
            "LINUX ../damaged\nAPPEND root=x",
            ":3:7: error: a cannot be booted: /boot/damaged: "
            "the kernel image is damaged: it has no S390EP at 0x10008 [unusable-kernel]",
        ),
        (
            "LINUX ../vmlinux-s390x\nAPPEND root=x",
            ":3:7: error: a cannot be booted: /boot/vmlinux-s390x: the file is an ELF vmlinux, "
            "and kexec on s390x wants the raw image that is built from it [unusable-kernel]",
        ),
        (
            f"LINUX ../vmlinuz\nAPPEND root={'x' * 2100}",
            ":4:8: error: the command line of a has 2105 bytes; its kernel takes 2047 [command-line-too-long]",
        ),
        (
            "LINUX ../vmlinuz\nINITRD ../empty\nAPPEND root=x",
            ":4:8: error: a cannot be booted: /boot/empty is empty [empty-initrd]",
        ),
        (
            "LINUX ../vmlinuz\nINITRD ../vmlinuz\nAPPEND root=x",
            ":4:8: warning: a: /boot/vmlinuz is neither a cpio archive nor compressed as the kernel knows it "
            "[odd-initrd]",
        ),
        (
            "LINUX /vmlinuz\nAPPEND root=x",
            ":3:7: warning: /vmlinuz is not there, and /boot/vmlinuz is taken instead [other-layout]",
        ),
        (
            "LINUX ../vmlinuz\nFDT ../gone.dtb\nAPPEND root=x",
            ":4:5: warning: a: /boot/gone.dtb does not exist [missing-device-tree]",
        ),
        (
            "LINUX ../vmlinuz\nFDTOVERLAYS ../vmlinuz ../gone.dtbo\nAPPEND root=x",
            ":4:13: info: a: /boot/gone.dtbo does not exist [device-tree-skipped]",
        ),
        ("LINUX ../vmlinuz\nFDTDIR ../\nAPPEND root=x", None),
        ("LINUX ../vmlinuz\nFDTDIR /nixos\nAPPEND root=x", None),
    ],
)
def test_files(tmp_path: Path, body: str, line: str | None) -> None:
    files = {
        "short": bzimage()[:1030],
        "damaged": s390x_image().replace(b"S390EP", b"S390E\0"),
        "vmlinux_s390x": vmlinux(0x16, big=True),
        "empty": b"",
    }
    found = lines(check(disk(tmp_path, body, GOOD.replace("INITRD ../initrd\n", ""), **files)))
    assert [each for each in found if "no-initrd" not in each] == ([line] if line else [])


def test_an_initrd_of_u_boot_is_looked_at_behind_its_header(tmp_path: Path) -> None:
    header = b"\x27\x05\x19\x56" + bytes(60)
    body = "LINUX ../vmlinuz\nINITRD ../uInitrd\nAPPEND root=x"
    assert check(disk(tmp_path / "good", body, uInitrd=header + b"070701")) == ()
    (finding,) = check(disk(tmp_path / "empty", body, GOOD, uInitrd=header))
    assert finding.code == "empty-initrd"


def test_a_link_out_of_the_volume(tmp_path: Path) -> None:
    root = disk(tmp_path, GOOD.replace("vmlinuz", "link"), GOOD)
    (tmp_path / "outside").write_bytes(bzimage())
    (root / "boot/link").symlink_to(tmp_path / "outside")
    (finding,) = check(root)
    assert finding.code == "missing-file"
    assert "/boot/link is a symbolic link to " in finding.message


def test_arguments_and_lists_are_where_they_are_written(tmp_path: Path) -> None:
    body = "LINUX /boot/vmlinuz root=x\nINITRD /boot/initrd,/boot/more\nAPPEND y"
    found = check(disk(tmp_path, body, more=b"070701"))
    assert [finding.code for finding in found] == ["uboot-file-name"] * 2


NO_ARM = "/boot/arm is for aarch64"


@pytest.mark.parametrize(
    ("bodies", "machine", "expected"),
    [
        ((X86, X86), "x86_64", []),
        ((S390, S390), "s390x", []),
        ((S390, S390), "x86_64", ["info: every kernel is for s390x; this machine is x86_64 [foreign-machine]"]),
        (
            (X86, ARM, ARM), "x86_64",
            [f":{line}:7: warning: {name}: {NO_ARM}, this machine is x86_64 [other-machine]"
             for line, name in ((6, "b"), (9, "c"))],
        ),
        ((S390, ARM, S390), "x86_64", [f":6:7: warning: b: {NO_ARM}, most others are for s390x [other-machine]"]),
    ],
)  # fmt: skip
def test_architectures(tmp_path: Path, bodies: tuple[str, ...], machine: str, expected: list[str]) -> None:
    root = disk(tmp_path, *bodies, arm=arm64_image(), s390=s390x_image())
    assert lines(check(root, machine=machine)) == expected


def test_nothing_bootable_counts_what_the_headers_say(tmp_path: Path) -> None:
    found = check(disk(tmp_path, "LINUX ../initrd\nAPPEND root=x", "LINUX ../gone\nAPPEND root=x"))
    assert [finding.code for finding in found] == ["nothing-bootable", "not-a-kernel", "missing-file"]


def test_findings_of_several_configurations_stay_together(tmp_path: Path) -> None:
    root = disk(tmp_path, GOOD, "LINUX ../gone\nAPPEND root=x")
    other = "/extlinux.conf"
    (root / other[1:]).write_text("TIMEOUT 50\nLABEL z\nLINUX /gone\nAPPEND root=x\n")
    configurations = [read_configuration(Volume(str(root), "disk"), path) for path in (CONF, other)]
    found = findings(configurations, candidates(configurations), "x86_64")
    assert [(finding.code, str(finding.position)) for finding in found] == [
        ("no-initrd", f"{CONF}:6:1"),
        ("missing-file", f"{CONF}:7:7"),
        ("missing-file", f"{other}:3:7"),
    ]


class CountingVolume(Volume):
    """A volume that counts what is read."""

    __slots__ = ()
    reads: list[str] = []  # noqa: RUF012 - shared by all copies of a frozen volume

    def read(self, path: str, limit: int) -> bytes:
        self.reads.append(path)
        return super().read(path, limit)


def test_a_file_is_read_once_however_many_entries_name_it(tmp_path: Path) -> None:
    blocks = [generation(number) for number in range(50, 0, -1)]
    root = write_root(tmp_path / "disk", extlinux_conf(label("nixos-default", "NixOS - Default"), *blocks))
    volume = CountingVolume(str(root), "disk")
    configuration = read_configuration(volume, CONF)
    among = candidates([configuration])
    volume.reads.clear()
    assert findings([configuration], among, "x86_64") == ()
    assert len(volume.reads) == len(set(volume.reads)) == 3, "the configuration, the kernel, the initrd"


def test_a_configuration_that_vanished_meanwhile_is_no_crash(nixos_root: Path) -> None:
    configuration = read_configuration(Volume(str(nixos_root), "disk"), CONF)
    among = candidates([configuration])
    (nixos_root / CONF[1:]).unlink()
    assert "nothing-bootable" in {finding.code for finding in findings([configuration], among, "x86_64")}


def test_the_usual_configuration_is_clean_on_a_boot_partition(tmp_path: Path) -> None:
    assert check(write_root(tmp_path / "disk", usual_conf(), boot=""), "/extlinux/extlinux.conf") == ()
