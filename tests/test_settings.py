"""Settings from a file and a kernel command line: a bad one costs itself."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from chainboot.settings import (
    FILE,
    KEYS,
    Key,
    Mistake,
    Settings,
    examine_settings,
    field_names,
    is_identifier,
    read_settings,
)

EXAMPLES = {
    "kernel syntax": "dhcp",
    "names": "eth0,eth1",
    "role": "view",
    "0 or 1": "1",
    "devices": "dasd:0.0.0100:readonly=1,zfcp:1900",
    "identifier": "0123456789ab",
}
ID = EXAMPLES["identifier"]


def example(key: Key) -> str:
    return EXAMPLES.get(key.value, "7")


def test_defaults_and_the_last_value_counts() -> None:
    assert read_settings("", ["quiet", "console=ttyS0"]) == (Settings(), ())
    settings, complaints = read_settings("", ["chainboot.timeout_ds=5", "chainboot.timeout_ds=70"])
    assert (settings.timeout_ds, complaints) == (70, ())


def test_every_field_can_be_set_in_both_places_and_is_in_the_table() -> None:
    assert [key.field for key in KEYS] == [field.name for field in fields(Settings)]
    assert field_names() == {key.name for key in KEYS}
    for key in KEYS:
        value = example(key)
        for settings, complaints in (
            read_settings("", [f"chainboot.{key.name}={value}"]),
            read_settings(f"# a comment\n\n  {key.name} = {value}  \n", []),
        ):
            assert complaints == ()
            assert str(getattr(settings, key.field)) == value


def test_the_command_line_wins_over_the_file() -> None:
    settings, _ = read_settings("ssh_port=23\nssh_window=9\n", ["chainboot.ssh_port=24"])
    assert (settings.ssh_port, settings.ssh_window) == (24, 9)


def test_the_kernels_own_ip_parameters_win_and_add_up() -> None:
    settings, _ = read_settings("ip=dhcp", ["ip=:::::eth0:dhcp", "chainboot.ip=none", "ip=10.0.0.2::::h:eth1:off"])
    assert settings.ip == ":::::eth0:dhcp 10.0.0.2::::h:eth1:off"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("timeout_ds=soon", "timeout_ds=soon was ignored: it wants a whole number, in tenths of a second"),
        ("timeout_ds=", "timeout_ds= was ignored: it wants a whole number, in tenths of a second"),
        ("timeout_ds", "timeout_ds= was ignored: it wants a whole number, in tenths of a second"),
        ("timeout_ds=-1", "timeout_ds=-1 was ignored: it wants a whole number, in tenths of a second"),
        ("ssh_grace=\u0663", "ssh_grace=\u0663 was ignored: it wants a whole number of seconds"),
        ("ssh_port=0", "ssh_port=0 was ignored: it wants a port, from 1 to 65535"),
        ("ssh_port=70000", "ssh_port=70000 was ignored: it wants a port, from 1 to 65535"),
        ("ssh_role=root", "ssh_role=root was ignored: it wants one of view, boot, edit, admin, none"),
        ("ssh_volume_keys=2", "ssh_volume_keys=2 was ignored: it wants 0 or 1"),
        ("ip", "ip= was ignored: it wants a value after ="),
        ("interfaces", "interfaces= was ignored: it wants a value after ="),
        ("s390x.devices", "s390x.devices= was ignored: it wants a value after ="),
        ("installed=0123456789aB", "installed=0123456789aB was ignored: it wants 12 hexadecimal digits, or nothing"),
        ("installed=01234", "installed=01234 was ignored: it wants 12 hexadecimal digits, or nothing"),
        ("speed=9", "speed is no setting of chainboot"),
        ("s390x_devices=dasd:100", "s390x_devices is no setting of chainboot"),
    ],
)
def test_a_bad_setting_costs_itself(text: str, complaint: str) -> None:
    settings, complaints = read_settings("", [f"chainboot.{text}", "chainboot.retry_timeout_ds=9"])
    assert settings == Settings(retry_timeout_ds=9)
    assert complaints == (f"chainboot.{complaint}",)
    assert read_settings(f"{text}\nretry_timeout_ds=9", []) == (settings, (f"{FILE}: {complaint}",))


def test_a_bad_device_costs_itself_and_the_last_value_counts() -> None:
    settings, complaints = read_settings(
        "s390x.devices=dasd:200", ["chainboot.s390x.devices=dasd:100,dasd:xyz,qeth:600"]
    )
    assert settings == Settings(s390x_devices="dasd:100,dasd:xyz,qeth:600")
    assert complaints == (
        "chainboot.s390x.devices: dasd:xyz was ignored: xyz is not a bus id such as 0.0.0100",
    )  # fmt: skip
    assert read_settings("s390x.devices=dasd:xyz", ["chainboot.s390x.devices="]) == (
        Settings(),
        (f"{FILE}: s390x.devices: dasd:xyz was ignored: xyz is not a bus id such as 0.0.0100",),
    )


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("# a\n\n  speed = 9\n", [("speed", 3, 3)]),
        ("ssh_port=1\r\nssh_port =  x\r\n", [("ssh_port", 2, 13)]),
        ("ip", [("ip", 1, 1)]),
        ("\tssh_role=", [("ssh_role", 1, 11)]),
        (" s390x.devices = dasd:x,dasd:y\nip", [("s390x.devices", 1, 18), ("s390x.devices", 1, 18), ("ip", 2, 1)]),
        ("# a\u2028ssh_port=x\n# b\x0bssh_port=x\nssh_port=y", [("ssh_port", 3, 10)]),
    ],
)
def test_a_mistake_knows_its_place_and_only_a_line_feed_ends_a_line(
    file: str, found: list[tuple[str, int, int]]
) -> None:
    mistakes = examine_settings(file, [])[1]
    assert [(mistake.name, mistake.line, mistake.column) for mistake in mistakes] == found


def test_what_stands_on_the_command_line_has_no_place_in_a_file() -> None:
    _, mistakes = examine_settings("# a\n", ["chainboot.speed=9", '"chainboot.ip=a b"'])
    assert mistakes == (
        Mistake("", '"chainboot.ip=a b" was ignored: write it without quotes', '"chainboot.ip=a b"'),
        Mistake("chainboot.", "speed is no setting of chainboot", "speed"),
    )


def test_an_identifier() -> None:
    assert is_identifier(ID)
    assert not any(is_identifier(text) for text in ("", ID[:-1], f"{ID}0", ID.upper(), "0123456789ag", "٠١٢٣٤٥٦٧٨٩٠١"))


def test_the_readme_has_every_setting_with_its_default() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for key in KEYS:
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| `{key.name}` |")]
        default = getattr(Settings(), key.field)
        assert row.endswith(f"| {default if default != '' else 'empty'} |")
