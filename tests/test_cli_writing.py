"""The verbs that write: `fmt` and `set-default`."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from nixos import KERNEL, label, usual_conf, write_root

from chainboot import cli
from chainboot.cli import main

CORPUS = Path(__file__).parent / "corpus"
NIXOS_NOTE = "chainboot: note: NixOS writes this file: the next nixos-rebuild sets the default anew\n"
UNTIDY = b"# \xff\r\ndefault a\r\nlabel a\r\n linux k \r\n"
TIDY = b"# \xff\nDEFAULT a\n\nLABEL a\n  LINUX k\n"


class Result:
    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code, self.raw, self.out, self.err = code, out, out.decode(errors="replace"), err.decode()


Call = Callable[..., Result]


@pytest.fixture
def chainboot(capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    def call(*arguments: str | Path) -> Result:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        code = left.value.code
        return Result(code if isinstance(code, int) else -1, *capsysbinary.readouterr())

    return call


def conf_of(root: Path) -> Path:
    return root / "boot/extlinux/extlinux.conf"


# fmt


@pytest.fixture
def untidy(tmp_path: Path) -> Path:
    file = tmp_path / "my.conf"
    file.write_bytes(UNTIDY)
    return file


def test_fmt_prints_the_canonical_form_byte_for_byte(chainboot: Call, untidy: Path) -> None:
    for arguments in ([untidy], ["--config", untidy]):
        result = chainboot("fmt", *arguments)
        assert (result.code, result.raw, result.err) == (0, TIDY, "")
    assert untidy.read_bytes() == UNTIDY


def test_fmt_check_shows_a_diff_and_exits_with_1(chainboot: Call, untidy: Path) -> None:
    result = chainboot("fmt", "--check", untidy)
    assert (result.code, result.err) == (1, "")
    assert result.out.splitlines() == [
        f"--- {untidy}", f"+++ {untidy} (new)", "@@ -1,4 +1,5 @@",
        "-# \ufffd\ufffd", "-default a\ufffd", "-label a\ufffd", "- linux k \ufffd",
        "+# \ufffd", "+DEFAULT a", "+", "+LABEL a", "+  LINUX k",
    ]  # fmt: skip
    assert untidy.read_bytes() == UNTIDY


def test_fmt_write_replaces_the_file_once(chainboot: Call, untidy: Path) -> None:
    first = chainboot("fmt", "--write", untidy)
    assert (first.code, first.out, first.err) == (0, "", f"chainboot: {untidy} is now in canonical form\n")
    assert untidy.read_bytes() == TIDY
    inode = untidy.stat().st_ino
    second = chainboot("fmt", "--write", untidy)
    assert (second.code, second.err) == (0, f"chainboot: {untidy} was already in canonical form\n")
    assert untidy.stat().st_ino == inode
    checked = chainboot("fmt", "--check", untidy)
    assert (checked.code, checked.out, checked.err) == (0, "", "")


def test_fmt_of_several_configurations(chainboot: Call, nixos_root: Path) -> None:
    other = nixos_root / "boot/syslinux/syslinux.cfg"
    other.parent.mkdir()
    other.write_bytes(UNTIDY)
    printed = chainboot("fmt", nixos_root)
    assert (printed.code, printed.out) == (1, "")
    assert printed.err == (
        "chainboot: error: there are several configurations: "
        "/boot/extlinux/extlinux.conf, /boot/syslinux/syslinux.cfg\n"
        "  (hint) name one with --config, or use --check or --write\n"
    )
    checked = chainboot("fmt", "--check", nixos_root)
    assert (checked.code, checked.out.count("\n--- "), checked.out.startswith(f"--- {other}\n")) == (1, 0, True)
    written = chainboot("fmt", "--write", "--root", nixos_root)
    assert written.err == (
        f"chainboot: {conf_of(nixos_root)} was already in canonical form\nchainboot: {other} is now in canonical form\n"
    )
    assert other.read_bytes() == TIDY


def test_fmt_of_nothing_and_of_too_much(chainboot: Call, tmp_path: Path) -> None:
    assert chainboot("fmt", tmp_path).code == 3
    assert chainboot("fmt", "--check", "--write", tmp_path).code == 2
    (tmp_path / "my.conf").write_bytes(b"#\n" * 250_001)
    result = chainboot("fmt", "--write", tmp_path / "my.conf")
    assert result.code == 1
    assert result.err.startswith(f"chainboot: error: {tmp_path}/my.conf is left as it is: the file is larger than")


def test_fmt_on_a_terminal_lets_nothing_through_that_drives_it(tmp_path: Path) -> None:
    (tmp_path / "my.conf").write_bytes(b"say \x1b[2J\xff\n")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "chainboot", "fmt", str(tmp_path / "my.conf")]
    environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    done = subprocess.run(command, check=False, stdout=theirs, env=environment, timeout=60)
    shown = os.read(ours, 1000)
    os.close(theirs)
    os.close(ours)
    assert (done.returncode, shown.decode()) == (0, "SAY \ufffd[2J\ufffd\r\n")


# set-default


def test_set_default_changes_one_value(chainboot: Call, nixos_root: Path) -> None:
    conf = conf_of(nixos_root)
    result = chainboot("set-default", "nixos-41-default", "--root", nixos_root)
    assert (result.code, result.out) == (0, "")
    assert result.err == f"{NIXOS_NOTE}chainboot: nixos-41-default is now the default of {conf}\n"
    assert conf.read_text() == usual_conf().replace("DEFAULT nixos-default\n", "DEFAULT nixos-41-default\n")
    assert "(default)" in chainboot("list", nixos_root).out.splitlines()[3]


@pytest.mark.parametrize("form", [["--config"], []])
def test_set_default_takes_a_number_and_a_file(chainboot: Call, nixos_root: Path, form: list[str]) -> None:
    assert chainboot("set-default", "3", *form, conf_of(nixos_root)).code == 0
    assert "\nDEFAULT nixos-42-hardened\n" in conf_of(nixos_root).read_text()


def test_what_is_the_default_already_is_not_written(chainboot: Call, nixos_root: Path) -> None:
    conf = conf_of(nixos_root)
    before = conf.stat()
    result = chainboot("set-default", "nixos-default", nixos_root)
    assert (result.code, result.out) == (0, "")
    assert result.err == f"chainboot: nixos-default is already the default of {conf}; nothing was written\n"
    assert (conf.stat().st_ino, conf.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_dry_run_shows_the_change_and_writes_nothing(chainboot: Call, nixos_root: Path) -> None:
    conf = conf_of(nixos_root)
    result = chainboot("set-default", "nixos-42-default", nixos_root, "--dry-run")
    assert (result.code, result.err, conf.read_text()) == (0, NIXOS_NOTE, usual_conf())
    assert result.out.splitlines()[3:9] == [
        " # Generated file, all changes will be lost on nixos-rebuild!",
        " ",
        " # Change this to e.g. nixos-42 to temporarily boot to an older configuration.",
        "-DEFAULT nixos-default",
        "+DEFAULT nixos-42-default",
        " ",
    ]


def test_an_entry_that_is_not_there_exits_with_3(chainboot: Call, nixos_root: Path) -> None:
    for wanted in ("nixos-7", "0", "99", "nixos-default\n"):
        result = chainboot("set-default", wanted, nixos_root)
        assert (result.code, result.out) == (3, "")
        assert result.err.startswith("chainboot: error: there is no entry")


def test_an_entry_that_cannot_boot_is_refused_but_for_force(chainboot: Call, tmp_path: Path) -> None:
    root = tmp_path / "disk"
    shutil.copytree(CORPUS / "damaged", root)
    before = conf_of(root).read_bytes()
    for wanted, place, reason in (
        ("gone", 15, "kernel: /boot/nixos/gone does not exist"),
        ("no-kernel", 23, "the entry names no kernel"),
    ):
        result = chainboot("set-default", wanted, root)
        assert (result.code, conf_of(root).read_bytes()) == (1, before)
        assert result.err == (
            f"chainboot: error: /boot/extlinux/extlinux.conf:{place}:1: {wanted} was not made the default: {reason}\n"
            "  (hint) --force makes it the default all the same\n"
        )
    forced = chainboot("set-default", "gone", root, "--force")
    assert forced.code == 0
    assert forced.err.startswith(
        "chainboot: note: it cannot be booted as it is: kernel: /boot/nixos/gone does not exist\n"
    )
    assert b"\nDEFAULT gone\n" in conf_of(root).read_bytes()


def test_a_kernel_that_is_none_is_refused(chainboot: Call, nixos_root: Path) -> None:
    (nixos_root / "boot/nixos" / KERNEL).write_text("no kernel")
    result = chainboot("set-default", "2", nixos_root)
    assert result.code == 1
    assert "was not made the default: kernel: /boot/nixos/" in result.err
    assert "the file is not a Linux kernel image\n" in result.err


def test_a_file_that_a_generator_writes_is_refused_but_for_force(chainboot: Call, tmp_path: Path) -> None:
    text = f"# Generated by update-extlinux 6.04\nDEFAULT a\n{label('a', 'A')}{label('b', 'B')}"
    root = write_root(tmp_path / "disk", text)
    conf = conf_of(root)
    result = chainboot("set-default", "b", root)
    assert (result.code, conf.read_text()) == (1, text)
    assert result.err == (
        f"chainboot: error: {conf} was not changed: another program writes it, and would undo the change "
        "(Generated by update-extlinux 6.04)\n"
        "  (hint) change the default where that program is configured; --force changes the file all the same\n"
    )
    forced = chainboot("set-default", "b", root, "--force")
    assert (forced.code, conf.read_text()) == (0, text.replace("DEFAULT a", "DEFAULT b"))
    assert forced.err == (
        f"chainboot: note: another program writes {conf} and may undo this (Generated by update-extlinux 6.04)\n"
        f"chainboot: b is now the default of {conf}\n"
    )


def test_a_file_in_the_nix_store_is_refused_even_with_force(chainboot: Call, tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", "")
    stored = root / "nix/store/abc-extlinux.conf"
    stored.parent.mkdir(parents=True)
    stored.write_text(usual_conf())
    conf_of(root).unlink()
    conf_of(root).symlink_to("/nix/store/abc-extlinux.conf")
    for verb in (["set-default", "2", "--force"], ["fmt", "--write"]):
        stored.write_text(usual_conf() + "\n")
        result = chainboot(*verb, "--root", root)
        assert result.code == 1
        assert f"{stored} was not changed: it is in the Nix store, where nothing changes once" in result.err
        assert stored.read_text() == usual_conf() + "\n"


def test_of_entries_with_one_label_the_first_is_meant(chainboot: Call, tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", f"DEFAULT a\n{label('a', 'A')}{label('b', 'B')}{label('b', 'B again')}")
    result = chainboot("set-default", "b", root)
    assert result.code == 0
    assert result.err.splitlines()[0] == "chainboot: note: label b stands 2 times; entry 2 is meant, not 3"
    by_number = chainboot("set-default", "3", root, "--force")
    assert by_number.code == 1
    assert "DEFAULT b would mean entry 2, which has the same label as entry 3\n" in by_number.err


def test_a_default_in_an_included_file_is_refused(chainboot: Call, tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", f"INCLUDE top.cfg\n{label('a', 'A')}{label('b', 'B')}")
    (root / "boot/extlinux/top.cfg").write_text("DEFAULT a\n")
    result = chainboot("set-default", "b", root)
    assert result.code == 1
    assert result.err == (
        "chainboot: error: /boot/extlinux/extlinux.conf was not changed: the DEFAULT that counts is at "
        "/boot/extlinux/top.cfg:1:1, a file that it includes\n"
        "  (hint) write DEFAULT b there, or remove the line and try again\n"
    )


def test_the_second_configuration_of_a_machine_is_changed_with_a_note(chainboot: Call, nixos_root: Path) -> None:
    other = nixos_root / "boot/syslinux/syslinux.cfg"
    other.parent.mkdir()
    other.write_text(f"{label('a', 'A')}{label('nixos-38-default', 'B')}")
    result = chainboot("set-default", "8", nixos_root)
    first = conf_of(nixos_root)
    assert result.code == 0
    assert result.err == (
        f"chainboot: note: this machine takes its default from {first}, not from {other}\n"
        f"chainboot: a is now the default of {other}\n"
    )
    assert other.read_text().startswith("\nDEFAULT a\nLABEL a\n")
    assert first.read_text() == usual_conf()
    both = chainboot("set-default", "nixos-38-default", nixos_root)
    assert both.err.startswith("chainboot: note: label nixos-38-default stands 2 times; entry 7 is meant, not 9\n")
    assert "\nDEFAULT nixos-38-default\n" in first.read_text()
