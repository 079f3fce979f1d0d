"""A file of settings before it is in an image: every mistake with its line, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainboot.errors import ChainbootError
from chainboot.image.settings_file import read_settings_file, sound_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings"


def test_a_sound_file_has_no_findings(file: Path) -> None:
    file.write_text("# ours\n\nssh_port = 2222\r\ns390x.devices=dasd:100,zfcp:1900\n")
    assert read_settings_file(file) == (file.read_bytes().decode(), ())
    assert sound_settings(file) == file.read_bytes().decode()


def test_a_finding_is_a_place_a_sentence_the_line_and_a_hint(file: Path) -> None:
    file.write_text("# ours\n  ssh_prot = 22\nspeed=9\nssh_port = x\ns390x.devices=dasd:100,disk:1\n")
    found = [finding.format().replace(str(file), "F") for finding in read_settings_file(file)[1]]
    assert found[0] == (
        "F:2:3: error: ssh_prot is no setting of chainboot [unknown-setting]\n"
        "      ssh_prot = 22\n"
        "      ^\n"
        "  (hint) did you mean ssh_port?"
    )
    assert found[1].startswith("F:3:1: error: speed is no setting of chainboot [unknown-setting]\n")
    assert "\n  (hint) the settings are timeout_ds, " in found[1]
    assert found[2] == (
        "F:4:12: error: ssh_port=x was ignored: it wants a port, from 1 to 65535 [bad-setting]\n"
        "    ssh_port = x\n"
        "               ^\n"
        "  (hint) ssh_port: where the SSH server listens"
    )
    assert found[3].startswith("F:5:15: error: s390x.devices: disk:1 was ignored: ")
    assert "[bad-device]" in found[3]
    assert len(found) == 4


def test_what_is_not_sound_is_an_error_with_all_its_places(file: Path) -> None:
    file.write_text("speed=9\nip\n")
    with pytest.raises(ChainbootError) as refused:
        sound_settings(file)
    assert refused.value.message == (
        f"{file}:1:1: speed is no setting of chainboot; {file}:2:1: ip= was ignored: it wants a value after ="
    )
    assert refused.value.hint == f"`chainboot check-settings {file}` shows the lines"


def test_a_line_that_would_drive_a_terminal_is_shown_without_that(file: Path) -> None:
    file.write_bytes(b"\xff\x1b[2J=1\n")
    (finding,) = read_settings_file(file)[1]
    assert "\x1b" not in finding.format()


def test_files_that_are_not_there_or_too_large(file: Path) -> None:
    with pytest.raises(ChainbootError) as missing:
        read_settings_file(file)
    assert missing.value.message == f"{file} cannot be read: No such file or directory"
    file.write_bytes(b"#" * ((1 << 16) + 1))
    with pytest.raises(ChainbootError) as large:
        read_settings_file(file)
    assert large.value.message == f"{file} is larger than 64 KiB, and so no file of settings"
