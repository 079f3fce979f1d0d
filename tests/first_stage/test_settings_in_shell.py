"""The settings as the shell scripts read them: by the same rules as Python."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from first_stage.stage import SCRIPTS, make_stage

from chainboot.devices import parse
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
        ("chainboot.interfaces=a chainboot.interfaces=", ""),
        ("chainboot.interfaces= chainboot.ip=", FILE),
        ("chainboot.ip= chainboot.ip= chainboot.interfaces= chainboot.interfaces=-n", FILE),
        ("chainboot.interfaces", "interfaces=a\ninterfaces =\nip=\nip = \t\n"),
        ("", "interfaces=\ninterfaces=-n\nip\n"),
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


@pytest.mark.parametrize(
    ("command_line", "value"),
    [
        ("", "d"),
        ("chainboot.x", "d"),
        ("chainboot.x=", ""),
        ("chainboot.x= chainboot.x=v", "v"),
        ("chainboot.x=d=", "d="),
    ],
)
def test_the_default_is_for_what_is_not_given(tmp_path: Path, command_line: str, value: str) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.settings(command_line=command_line)
    asked = ". /usr/lib/chainboot/functions.sh; setting x d"
    assert stage.run("/bin/sh", "-c", asked) == (0, f"{value}\n", "")


def test_the_reason_is_the_last_line_and_harmless(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.write("/tmp/errors", "Traceback\nValueError: \x1b[31mred\n\n")
    library = ". /usr/lib/chainboot/functions.sh; "
    assert stage.run("/bin/sh", "-c", f"{library} why /tmp/errors 1")[1] == "ValueError: [31mred\n"
    assert stage.run("/bin/sh", "-c", f"{library} why /tmp/none 127")[1] == "it ended with exit code 127\n"


# Whole devices, and what others are put together from.
DEVICES = (
    "",
    ",",
    "dasd:0.0.0100",
    "DASD:9A0b,zfcp:01.3.1900 \t qeth:600",
    "zfcp:1900:0X500507630300C562:4010403300000000,zfcp:1900,zfcp:1900:500507630300c562:0x4010403300000001",
    "zfcp:1900,zfcp:1900,dasd:1900,ccw:1900,zfcp:1900:500507630300c562:4010403300000000,zfcp:1900",
    "qeth:fffd,qeth:0.1.fffe,qeth:9ff:vnicc/flooding=1,qeth:09fe,qeth:600:0600:601,qeth:600:601:602:layer2=0:x==",
    "dasd:100:readonly=1:use_diag=1,dasd:0100,ccw:0.0.100",
    "dasd:100:" + ":".join(["a=1"] * 30) + ",dasd:101:" + ":".join(["a=1"] * 31),
    "dasd:100:a=" + "1" * 64 + ",dasd:101:a=" + "1" * 65 + ",dasd:102:" + "a" * 64 + "=1,dasd:103:" + "a" * 65 + "=1",
    "dasd:" + "1" * 300 + "," + "x" * 300 + ",dasd:1:" + "é" * 100 + "=1",
    "dasd:100:online=1,dasd:100:driver/unbind=x,dasd:100:subsystem=x,dasd:100:onlined=x,dasd:100:a..b=1",
    "dasd:100:a=$(reboot),dasd:101:a=`reboot`,dasd:102:a=;reboot;,dasd:103:a=*,dasd:104:a=-n,dasd:105:a=\\n\\",
    "dasd:100:a=\x1b[31m,dasd:101:a=\x01,dasd:\x7f,\x01:100,日本:1,dasd:1:日=本,dasd:2:a=日",
    ",".join(f"dasd:{number:x}" for number in range(64)),
    ",".join(f"dasd:{number:x}" for number in range(70)),
    ",".join(["x"] * 70),
)
PARTS = (
    *("dasd", "zfcp", "qeth", "ccw", "Zfcp", "disk", ""),
    *(
        "100",
        "0100",
        "0.0.0100",
        "0.0.101",
        "0.1.0102",
        "ff.3.ffff",
        "fffe",
        "00.0.1",
        "0.4.1",
        "1.2",
        "0x100",
        "é",
        ".",
    ),
    *("500507630300c562", "0x4010403300000000", "0X4010403300000000", "0x401040330000000", "g" * 16),
    *("layer2=1", "a/b=c", "../a=b", "online=1", "=", "a=", "a=\x1b", "a=b=c"),
)


def test_both_readers_of_devices_agree(tmp_path: Path) -> None:
    dice = random.Random(5)
    values = [*DEVICES]
    for _ in range(400):
        words = [
            ":".join(
                [dice.choice(PARTS[:5]), dice.choice(PARTS[7:14]), *dice.choices(PARTS, k=dice.choice((0, 0, 1, 2, 3)))]
            )
            for _ in range(dice.randint(1, 6))
        ]
        values.append(dice.choice((",", " ", ", ")).join(words))
    stage = make_stage(tmp_path / "stage")
    stage.write("/tmp/devices.awk", (SCRIPTS / "devices.awk").read_text())
    stage.write("/tmp/values", "".join(f"{value}\n" for value in values))
    script = (
        'while IFS= read -r value; do printf "%s\\n" "$value" | awk -f /tmp/devices.awk; echo end; done </tmp/values'
    )
    code, output, errors = stage.run("/bin/sh", "-c", script)
    assert (code, errors) == (0, "")
    answers = output.split("end\n")[:-1]
    assert len(answers) == len(values)
    good = bad = 0
    for value, answer in zip(values, answers, strict=True):
        devices, mistakes = parse(value)
        lines = answer.splitlines()
        said = [line.removeprefix("bad ").split(" ", 1) for line in lines if line.startswith("bad ")]
        assert [f"{word} was ignored: {reason}" for word, reason in said] == list(mistakes), value
        assert [line for line in lines if not line.startswith("bad ")] == [
            " ".join((device.kind, *device.buses, *device.path, *("=".join(pair) for pair in device.attributes)))
            for device in devices
        ], value
        good += len(devices)
        bad += len(mistakes)
    assert min(good, bad) > 200, "the values are too much alike"


def test_the_last_value_of_the_devices_counts(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.write("/tmp/devices.awk", (SCRIPTS / "devices.awk").read_text())
    stage.settings(
        command_line="chainboot.s390x.devices=dasd:100 chainboot.s390x.devices=dasd:200", file="s390x.devices=ccw:1"
    )
    asked = ". /usr/lib/chainboot/functions.sh; given s390x.devices | awk -f /tmp/devices.awk"
    assert stage.run("/bin/sh", "-c", asked)[1] == "dasd 0.0.0200\n"
    stage.settings(command_line="chainboot.s390x.devices=")
    assert stage.run("/bin/sh", "-c", asked)[1] == ""
