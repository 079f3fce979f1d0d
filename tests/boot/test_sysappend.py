"""Words that SYSAPPEND adds, from a made-up /sys/class/dmi/id."""

from __future__ import annotations

from pathlib import Path

import pytest
from nixos import KERNEL, write_root

from chainboot.boot.candidate import candidates
from chainboot.boot.sysappend import SystemStrings, mangle, read_system, words
from chainboot.boot.volume import Volume, read_configuration


@pytest.fixture
def system(tmp_path: Path) -> SystemStrings:
    for name, text in {
        "product_uuid": "4C4C4544-0042\n",
        "sys_vendor": "  Acme  Inc.\x1b[2J\n",
        "board_name": "\n",
        "bios_version": "x" * 500,
    }.items():
        (tmp_path / name).write_text(text)
    return read_system(str(tmp_path))


@pytest.mark.parametrize(
    ("mask", "added"),
    [
        (0, ""),
        (3, ""),
        (0x4, "SYSUUID=4c4c4544-0042"),
        (0x14, "SYSUUID=4c4c4544-0042 SYSVENDOR=Acme_Inc._[2J"),
        (0x800, ""),
        (0x10000, f"BIOSVERSION={'x' * 64}"),
        (0x40004, "SYSUUID=4c4c4544-0042 FSUUID=0a1b-2c"),
    ],
)
def test_the_mask_chooses_words(system: SystemStrings, mask: int, added: str) -> None:
    assert words(mask, system, "0a1b-2c") == added


def test_what_is_not_there_adds_nothing(tmp_path: Path) -> None:
    assert words(0xFFFFF, read_system(str(tmp_path / "none")), None) == ""


def test_a_string_is_one_word() -> None:
    assert mangle(" a \t b\x00\x7fc ") == "a_b_c"


def test_the_words_end_the_command_line_of_the_entry(tmp_path: Path, system: SystemStrings) -> None:
    conf = f"LABEL x\nLINUX ../nixos/{KERNEL}\nAPPEND quiet\nSYSAPPEND 0x40004\nLABEL y\nLINUX ../nixos/{KERNEL}\n"
    volume = Volume(str(write_root(tmp_path / "disk", conf)), "disk", uuid="0a1b-2c")
    first, second = candidates([read_configuration(volume, "/boot/extlinux/extlinux.conf")], system)
    assert first.cmdline == "quiet SYSUUID=4c4c4544-0042 FSUUID=0a1b-2c"
    assert second.cmdline == ""
