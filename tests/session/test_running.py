"""Which entry the running system came from: often two, the default and the same under its own name; sometimes none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kernels import bzimage
from nixos import DEFAULT_PARAMETERS, SYSTEM, extlinux_conf, generation, label, usual_conf, write_root

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.source import configurations
from chainboot.boot.sysappend import SystemStrings
from chainboot.remote.role import Role
from chainboot.session.person import Person
from chainboot.session.running import Running, read_running, running_json, running_text

BORIS = Person("boris from 192.0.2.10", Role.BOOT, remote=True)
INIT = f"init={SYSTEM}/init"


def among(root: Path, conf: str) -> tuple[Candidate, ...]:
    write_root(root, conf)
    return candidates(configurations(root=str(root)), SystemStrings())


def labels(running: Running) -> list[str]:
    return [candidate.entry.label for candidate in running.runs]


OTHER = label("other", "Other").replace("APPEND init=", "APPEND init=/other")


@pytest.mark.parametrize(
    ("cmdline", "found"),
    [
        (f"{INIT} {DEFAULT_PARAMETERS}", ["nixos-default", "nixos-42-default"]),
        (f"BOOT_IMAGE=x {INIT} {DEFAULT_PARAMETERS} added=1", ["nixos-default", "nixos-42-default"]),
        (f"{INIT} {DEFAULT_PARAMETERS} lsm=yama", ["nixos-42-hardened"]),
        (f"init=/other{SYSTEM}/init {DEFAULT_PARAMETERS}", ["other"]),
        (f"{INIT} console=ttyS0", []),
        ("", []),
    ],
)
def test_the_entry_is_known_by_its_command_line(tmp_path: Path, cmdline: str, found: list[str]) -> None:
    conf = extlinux_conf(
        label("nixos-default", "NixOS - Default"),
        generation(42),
        generation(42, "hardened", f"{DEFAULT_PARAMETERS} lsm=yama"),
        OTHER,
        "\nLABEL bare\n  LINUX ../nixos/k\n",
    )
    assert labels(Running(BORIS, among(tmp_path, conf), cmdline, "6.6.32")) == found


def test_of_entries_with_one_command_line_it_is_the_one_with_the_release(tmp_path: Path) -> None:
    conf = "".join(f"LABEL l{name}\n  LINUX ../{name}\n  APPEND root=/dev/vda\n" for name in ("old", "new"))
    write_root(tmp_path, conf)
    (tmp_path / "boot/old").write_bytes(bzimage(version="6.1.1 (x@y) #1"))
    (tmp_path / "boot/new").write_bytes(bzimage(version="6.1.2 (x@y) #1"))
    found = candidates(configurations(root=str(tmp_path)), SystemStrings())
    assert labels(Running(BORIS, found, "root=/dev/vda", "6.1.2")) == ["lnew"]
    assert labels(Running(BORIS, found, "root=/dev/vda", "5.0")) == ["lold", "lnew"]
    (tmp_path / "boot/new").unlink()
    gone = candidates(configurations(root=str(tmp_path)), SystemStrings())
    assert labels(Running(BORIS, gone, "root=/dev/vda", "6.1.2")) == ["lold", "lnew"]


def test_text_and_json(tmp_path: Path) -> None:
    conf = extlinux_conf(label("nixos-default", "NixOS - Default"), OTHER)
    found = among(tmp_path, conf)
    running = Running(BORIS, found, f"{INIT} {DEFAULT_PARAMETERS}", "6.6.32", ("kexec is \x1b[2Joff",))
    assert running_text(running) == (
        "you       boris from 192.0.2.10, role boot\n"
        "runs      Linux 6.6.32, from 1 nixos-default\n"
        "default   1 nixos-default\n"
        "entries   2\n"
        "problem   kexec is \ufffd[2Joff\n"
    )
    assert running_json(running) == {
        "you": {"name": "boris from 192.0.2.10", "role": "boot"},
        "release": "6.6.32",
        "runs": ["nixos-default"],
        "default": "nixos-default",
        "entries": 2,
        "problems": ["kexec is \x1b[2Joff"],
        "trial": None,
    }
    nothing = Running(BORIS, (), "", "6.6.32")
    assert "from no entry that is still there\ndefault   none\n" in running_text(nothing)
    assert json.dumps(running_json(nothing))


def test_every_field_is_documented(tmp_path: Path) -> None:
    documented = (Path(__file__).parents[2] / "docs/login-shell.md").read_text()
    shown = running_json(Running(BORIS, among(tmp_path, usual_conf()), "", "6.6.32"))
    assert isinstance(shown, dict)
    for name in shown:
        assert f"`{name}`" in documented, name


def test_what_the_kernel_says_of_itself(tmp_path: Path) -> None:
    (tmp_path / "cmdline").write_bytes(b"a b \xff\n")
    assert read_running(str(tmp_path / "cmdline"))[0] == "a b \udcff"
    cmdline, release = read_running(str(tmp_path / "none"))
    assert cmdline == ""
    assert release
