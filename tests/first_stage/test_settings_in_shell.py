"""The settings as the shell scripts read them: by the same rules as Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from first_stage.stage import make_stage

from chainboot.settings import read_settings

FILE = """# a comment = 1
 ssh_port = 2222\t
ssh_port=070
ip=192.0.2.2::192.0.2.1:24 [2001:db8::2]
interfaces = eth0,eth1
ssh_window=-1
console_idle
ssh_grace=5=6
network_wait=*
device_wait_ds=7"""  # and no newline at the end


@pytest.mark.parametrize(
    ("command_line", "file"),
    [
        ("", ""),
        ("", FILE),
        ("quiet chainboot.ssh_port=23 chainboot.ssh_port=99999 chainboot.ssh_port=x ip=dhcp", FILE),
        ("chainboot.device_wait_ds=0 chainboot.device_wait_ds= chainboot.network_wait=00010 xchainboot.ssh_port=1", ""),
        ("chainboot.device_wait_ds=123456789 chainboot.interfaces=* /bin/*", FILE),
    ],
)
def test_both_readers_agree(tmp_path: Path, command_line: str, file: str) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.settings(command_line=command_line, file=file)
    words = [word for word in command_line.split() if not word.startswith("ip=")]
    expected, _ = read_settings(file, words)
    asked = (
        ". /usr/lib/chainboot/functions.sh; number ssh_port 22 65535; number device_wait_ds 100 99999999; "
        "number network_wait 30 99999999; number ssh_grace 30 99999999; number ssh_window 20 99999999; "
        "setting interfaces ''; setting ip ''"
    )
    code, output, errors = stage.run("/bin/sh", "-c", asked)
    assert (code, errors) == (0, "")
    assert output.splitlines() == [
        str(expected.ssh_port),
        str(expected.device_wait_ds),
        str(expected.network_wait),
        str(expected.ssh_grace),
        str(expected.ssh_window),
        expected.interfaces,
        expected.ip,
    ]


def test_the_reason_is_the_last_line_and_harmless(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.write("/tmp/errors", "Traceback\nValueError: \x1b[31mred\n\n")
    library = ". /usr/lib/chainboot/functions.sh; "
    assert stage.run("/bin/sh", "-c", f"{library} why /tmp/errors 1")[1] == "ValueError: [31mred\n"
    assert stage.run("/bin/sh", "-c", f"{library} why /tmp/none 127")[1] == "it ended with exit code 127\n"
