"""What the machine does when nobody is there, and what the menu shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from nixos import KERNEL, SYSTEM, extlinux_conf, generation, label, usual_conf, write_root

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.consoles import with_consoles
from chainboot.boot.volume import Configuration, Volume, read_configuration
from chainboot.session.choice import Autoboot, autoboot, identity, menu_items, remarks
from chainboot.settings import Settings

SETTINGS = Settings(timeout_ds=100, retry_timeout_ds=50)


def read(tmp_path: Path, conf: str) -> tuple[tuple[Configuration, ...], tuple[Candidate, ...]]:
    root = write_root(tmp_path / "disk", conf)
    found = (read_configuration(Volume(str(root), "disk"), "/boot/extlinux/extlinux.conf"),)
    return found, candidates(found)


@pytest.mark.parametrize(("timeout", "waits"), [(50, 50), (1, 1), (0, None), (-10, 0), (None, SETTINGS.timeout_ds)])
def test_the_default_boots_after_the_timeout_of_the_configuration(
    tmp_path: Path, timeout: int | None, waits: int | None
) -> None:
    assert autoboot(*read(tmp_path, usual_conf(timeout)), SETTINGS, {}) == Autoboot(1, waits, default=1)


def test_a_default_that_cannot_boot_gives_way_to_the_next_one_after_a_window(tmp_path: Path) -> None:
    found = read(tmp_path, usual_conf(-10).replace(f"LINUX ../nixos/{KERNEL}", "LINUX ../nixos/gone", 1))
    assert autoboot(*found, SETTINGS, {}) == Autoboot(
        2,
        SETTINGS.retry_timeout_ds,
        "nixos-default cannot boot: kernel: /boot/nixos/gone does not exist. nixos-42-default is next.",
        default=2,
    )


def test_an_entry_that_failed_to_load_is_passed_over(tmp_path: Path) -> None:
    found, among = read(tmp_path, usual_conf())
    failed = {identity(among[0]): "kexec exited with 255", identity(among[1]): "the same"}
    assert autoboot(found, among, SETTINGS, failed) == Autoboot(
        3, 50, "nixos-default cannot boot: kexec exited with 255. nixos-42-hardened is next.", default=3
    )


def test_where_nothing_can_be_booted_not_one_entry_is_tried(tmp_path: Path) -> None:
    found = read(tmp_path, usual_conf(-10))
    unable = ("the running kernel has no kexec",)
    assert autoboot(*found, SETTINGS, {}, unable) == Autoboot(
        None, None, "Nothing boots by itself: the running kernel has no kexec.", default=1
    )


def test_a_console_that_is_added_is_in_the_line_and_said(tmp_path: Path) -> None:
    _found, among = read(tmp_path, "LABEL a\nLINUX ../nixos/k\nAPPEND quiet\n\nLABEL b\nAPPEND console=hvc0\nLINUX k\n")
    bare, named = menu_items(with_consoles(among, "console=ttyS0"))
    assert bare.cmdline == "quiet console=ttyS0"
    assert bare.note == "console=ttyS0 was added: the entry names none (setting add_console)"
    assert f"note  {bare.note}" in bare.detail
    assert (named.cmdline, named.note) == ("console=hvc0", "")
    assert not any("note" in line for line in named.detail)


def test_arguments_of_ontimeout_come_without_the_console_that_is_added(tmp_path: Path) -> None:
    conf = f"DEFAULT a\nONTIMEOUT a {{}}\nLABEL a\nLINUX ../nixos/{KERNEL}\nAPPEND quiet\n"
    for arguments, cmdline in (("x", "quiet x"), ("console=hvc0", "quiet console=hvc0")):
        found, among = read(tmp_path / arguments, conf.format(arguments))
        assert autoboot(found, with_consoles(among, "console=ttyS0"), SETTINGS, {}).cmdline == cmdline


def test_waiting_for_ever_stays_waiting_for_ever(tmp_path: Path) -> None:
    found, among = read(tmp_path, usual_conf(0))
    assert autoboot(found, among, SETTINGS, {identity(among[0]): "x"}).timeout_ds is None


def test_when_nothing_can_boot_nothing_boots(tmp_path: Path) -> None:
    found = read(tmp_path, extlinux_conf("\nLABEL a\n", "\nLABEL b\n", default="a"))
    assert autoboot(*found, SETTINGS, {}) == Autoboot(
        None,
        None,
        "a cannot boot: the entry names no kernel. No entry is left that could boot by itself.",
    )
    assert autoboot((), (), SETTINGS, {}) == Autoboot(None, None, "")


def test_a_hidden_entry_is_no_fallback(tmp_path: Path) -> None:
    conf = extlinux_conf("\nLABEL a\n", label("b", "B", tail="  MENU HIDE\n"), generation(7), default="a")
    assert autoboot(*read(tmp_path, conf), SETTINGS, {}).index == 3


def test_items_carry_what_the_menu_shows(tmp_path: Path) -> None:
    conf = extlinux_conf(generation(7), "\nLABEL gone\n  LINUX x\n  TEXT HELP\n  Ask Ann.\n  ENDTEXT\n")
    first, second = menu_items(read(tmp_path, conf)[1])
    assert (first.index, first.label, first.bootable) == (1, "nixos-7-default", True)
    assert first.detail[:2] == ("volume  disk", f"kernel  /boot/nixos/{KERNEL} (0.0 MiB)")
    assert second.reasons == ("kernel: /boot/extlinux/x does not exist",)
    assert second.detail[-1] == "Ask Ann."


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ONTIMEOUT nixos-7-default", Autoboot(2, 50, default=1)),
        ("ONTIMEOUT nixos-7-default single user", Autoboot(2, 50, "", f"init={SYSTEM}/init x single user", default=1)),
        ("ONTIMEOUT gone", Autoboot(1, 50, default=1)),
        ("ONTIMEOUT broken", Autoboot(1, 50, default=1)),
        ("TOTALTIMEOUT 900", Autoboot(1, 50, total_timeout_ds=900, default=1)),
        ("TOTALTIMEOUT 0", Autoboot(1, 50, default=1)),
    ],
)
def test_what_the_timer_boots_may_differ_from_the_default(tmp_path: Path, line: str, expected: Autoboot) -> None:
    entries = [label("nixos-default", "NixOS"), generation(7, parameters="x"), "\nLABEL broken\n"]
    assert autoboot(*read(tmp_path, extlinux_conf(*entries) + f"{line}\n"), SETTINGS, {}) == expected


def test_hidden_entries_are_not_shown_and_keep_their_numbers(tmp_path: Path) -> None:
    conf = extlinux_conf(generation(7), label("b", "B", tail="  MENU HIDE\n"), generation(6), default="nixos-7-default")
    assert [item.index for item in menu_items(read(tmp_path, conf)[1])] == [1, 3]


def test_what_the_configuration_says_of_an_entry_is_shown(tmp_path: Path) -> None:
    conf = extlinux_conf(
        "MENU BEGIN\nMENU TITLE Tools\n",
        label("a", "^Rescue", "${console}", tail="  MENU PASSWD secret\n"),
        "MENU END\n",
    )
    (item,) = menu_items(read(tmp_path, conf)[1])
    assert (item.title, item.hotkey, item.locked, item.indent) == ("Rescue", "r", True, 2)
    assert item.detail[0] == "menu  Tools"
    assert item.detail[-2:] == (
        "variables that nobody puts in here  console",
        "locked  the configuration asks for a password; it is not asked for here",
    )
    assert "secret" not in repr(item)


def test_remarks_point_at_configurations_with_findings(tmp_path: Path) -> None:
    found, _ = read(tmp_path, "(junk\nLABEL a\nTIMEOUT soon\n")
    assert remarks(found) == (
        "/boot/extlinux/extlinux.conf: 0 errors, 2 warnings; "
        "the first: the line starts with no keyword and was left out",
    )
