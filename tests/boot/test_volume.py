"""Paths never leave their volume, and a configuration is found where its writers put it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nixos import usual_conf, write_root

from chainboot.boot.volume import (
    PathError,
    Volume,
    find_configurations,
    normalise,
    read_configuration,
)
from chainboot.errors import NotFoundError
from chainboot.extlinux.parser import SIZE_LIMIT


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    (tmp_path / "outside").write_text("secret")
    root = tmp_path / "root"
    (root / "boot/nixos").mkdir(parents=True)
    (root / "boot/nixos/kernel").write_text("kernel")
    (root / "etc").mkdir()
    links = {
        "boot/by-name": "nixos/kernel",
        "boot/absolute": "/boot/nixos/kernel",
        "boot/up": "../../../../boot/nixos",
        "boot/out": "/outside",
        "boot/out-relative": "../../outside",
        "boot/loop": "loop",
        "boot/dangling": "nowhere",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    return Volume(str(root), "disk")


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/boot/nixos/kernel", "/boot/nixos/kernel"),
        ("/boot/extlinux/../nixos//./kernel", None),
        ("/boot/nixos/../nixos//./kernel", "/boot/nixos/kernel"),
        ("/../../../boot/nixos/kernel", "/boot/nixos/kernel"),
        ("/boot/by-name", "/boot/nixos/kernel"),
        ("/boot/absolute", "/boot/nixos/kernel"),
        ("/boot/up/kernel", "/boot/nixos/kernel"),
        ("/", "/"),
    ],
)
def test_follow(volume: Volume, path: str, leads_to: str | None) -> None:
    if leads_to is None:
        with pytest.raises(PathError):
            volume.follow(path)
    else:
        assert volume.follow(path) == leads_to


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/boot/out",
            "/boot/out is a symbolic link to /outside, and links never leave the volume: /outside does not exist in it",
        ),
        (
            "/boot/out-relative",
            "/boot/out-relative is a symbolic link to ../../outside, and links never leave the volume: "
            "/outside does not exist in it",
        ),
        ("/boot/loop", "/boot/loop leads through more than 40 symbolic links"),
        ("/../../../../etc/shadow", "/etc/shadow does not exist"),
        ("/boot/nixos/kernel/x", "/boot/nixos/kernel/x does not exist"),
        ("/boot/" + "x" * 300, f"/boot/{'x' * 300} cannot be read: File name too long"),
    ],
)
def test_a_path_that_leads_nowhere_says_so(volume: Volume, path: str, message: str) -> None:
    with pytest.raises(PathError) as raised:
        volume.follow(path)
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("name", "message"),
    [("pipe", "/pipe is a named pipe, not a file"), ("boot", "/boot is a directory, not a file")],
)
def test_only_files_are_read(volume: Volume, name: str, message: str) -> None:
    os.mkfifo(f"{volume.root}/pipe")
    with pytest.raises(PathError) as raised:
        volume.read(f"/{name}", 10)
    assert raised.value.message == message


def test_reading_stops_at_the_limit(volume: Volume) -> None:
    assert volume.read("/boot/nixos/kernel", 3) == b"ker"
    assert volume.read("/boot/nixos/kernel", 100) == b"kernel"


PARTS = st.sampled_from(["..", ".", "", "boot", "nixos", "kernel", "up", "out", "absolute", "by-name", "outside"])


@given(parts=st.lists(PARTS, max_size=12))
def test_no_path_leads_outside(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    base = tmp_path_factory.getbasetemp() / "confined"
    root = base / "root"
    if not root.exists():
        (root / "boot/nixos").mkdir(parents=True)
        (base / "outside").write_text("secret")
        (root / "boot/up").symlink_to("../../../..")
        (root / "boot/out").symlink_to("/outside")
    try:
        real = Volume(str(root), "disk").follow("/".join(parts))
    except PathError:
        return
    assert os.path.realpath(f"{root}{real}").startswith(str(root))


@pytest.mark.parametrize(("path", "normal"), [("/a/./b//../c", "/a/c"), ("/../..", "/"), ("a", "/a")])
def test_normalise(path: str, normal: str) -> None:
    assert normalise(path) == normal


@pytest.mark.parametrize("boot", ["boot/", ""])
def test_both_layouts_of_boot_are_found(tmp_path: Path, boot: str) -> None:
    root = write_root(tmp_path / "disk", usual_conf(), boot=boot)
    assert find_configurations(Volume(str(root), "disk")) == ((f"/{boot}extlinux/extlinux.conf",), ())


def test_one_file_by_several_names_is_found_once(nixos_root: Path) -> None:
    (nixos_root / "extlinux").symlink_to("boot/extlinux")
    (nixos_root / "extlinux.conf").write_text("LABEL other\n")
    found, problems = find_configurations(Volume(str(nixos_root), "disk"))
    assert problems == ()
    assert found == ("/boot/extlinux/extlinux.conf", "/extlinux.conf")


def test_a_missing_configuration_is_an_error_with_its_volume(volume: Volume) -> None:
    with pytest.raises(NotFoundError) as raised:
        read_configuration(volume, "/boot/extlinux/extlinux.conf")
    assert raised.value.message == "no configuration: /boot/extlinux/extlinux.conf does not exist (in disk)"


def test_an_unreadable_configuration_is_an_error(volume: Volume) -> None:
    (Path(volume.root) / "extlinux.conf").mkdir()
    with pytest.raises(NotFoundError, match=r"/extlinux.conf is a directory, not a file \(in disk\)"):
        read_configuration(volume, "/extlinux.conf")


def test_an_oversized_configuration_gives_its_first_entries(tmp_path: Path) -> None:
    conf = usual_conf().encode() + b"# padding\n" * (10 * 1024 * 1024 // 10)
    root = write_root(tmp_path / "disk", conf)
    menu = read_configuration(Volume(str(root), "disk"), "/boot/extlinux/extlinux.conf").menu
    assert len(menu.entries) == 7
    assert [finding.code for finding in menu.diagnostics] == ["too-large"]
    assert str(SIZE_LIMIT // 1024 // 1024) in menu.diagnostics[0].message


def test_includes_are_relative_to_the_configuration_and_confined(volume: Volume) -> None:
    root = Path(volume.root)
    (root / "boot/extlinux").mkdir()
    (root / "boot/extlinux/more.cfg").write_text("LABEL more\nLINUX ../nixos/kernel\n")
    (root / "boot/extlinux/extlinux.conf").write_text("INCLUDE more.cfg\nINCLUDE ../../../outside\n")
    menu = read_configuration(volume, "/boot/extlinux/extlinux.conf").menu
    assert [entry.label for entry in menu.entries] == ["more"]
    assert [finding.code for finding in menu.diagnostics] == ["include-missing"]
