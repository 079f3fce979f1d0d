"""The setting s390x.devices: what it asks for, what costs itself, and what a person reads of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainboot.devices import KINDS, Device, DeviceState, describe, parse, problems, states

WWPN, LUN = "0x500507630300c562", "0x4010403300000000"


@pytest.mark.parametrize(
    ("word", "device"),
    [
        ("dasd:0.0.0100", Device("dasd", ("0.0.0100",))),
        ("dasd:100", Device("dasd", ("0.0.0100",))),
        ("DASD:0.0.9A0b", Device("dasd", ("0.0.9a0b",))),
        ("dasd:01.3.a", Device("dasd", ("1.3.000a",))),
        ("dasd:fe.0.ffff", Device("dasd", ("fe.0.ffff",))),
        (
            "dasd:100:readonly=1:use_diag=1",
            Device("dasd", ("0.0.0100",), attributes=(("readonly", "1"), ("use_diag", "1"))),
        ),
        ("zfcp:1900", Device("zfcp", ("0.0.1900",))),
        (f"zfcp:0.0.1900:{WWPN}:{LUN}", Device("zfcp", ("0.0.1900",), (WWPN, LUN))),
        (f"zfcp:1900:0X{WWPN[2:].upper()}:{LUN[2:]}", Device("zfcp", ("0.0.1900",), (WWPN, LUN))),
        ("qeth:600", Device("qeth", ("0.0.0600", "0.0.0601", "0.0.0602"))),
        ("qeth:0.1.fffd", Device("qeth", ("0.1.fffd", "0.1.fffe", "0.1.ffff"))),
        ("qeth:600:603:1.0.0602", Device("qeth", ("0.0.0600", "0.0.0603", "1.0.0602"))),
        (
            "qeth:600:601:602:layer2=1:portname=a=B",
            Device("qeth", ("0.0.0600", "0.0.0601", "0.0.0602"), (), (("layer2", "1"), ("portname", "a=B"))),
        ),
        (
            "qeth:9ff:vnicc/flooding=1",
            Device("qeth", ("0.0.09ff", "0.0.0a00", "0.0.0a01"), (), (("vnicc/flooding", "1"),)),
        ),
        ("ccw:2000", Device("ccw", ("0.0.2000",))),
        ("ccw:2000:name=/../*$(x)", Device("ccw", ("0.0.2000",), (), (("name", "/../*$(x)"),))),
    ],
)
def test_a_device(word: str, device: Device) -> None:
    assert parse(word) == ((device,), ())
    assert parse(f" {word},,\t,") == ((device,), ())


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("disk:100", "disk is none of dasd, zfcp, qeth and ccw"),
        (":100", "nothing is none of dasd, zfcp, qeth and ccw"),
        ("dasd", "nothing is not a bus id such as 0.0.0100"),
        ("dasd:", "nothing is not a bus id such as 0.0.0100"),
        ("dasd:12345", "12345 is not a bus id such as 0.0.0100"),
        ("dasd:0.0.", "0.0. is not a bus id such as 0.0.0100"),
        ("dasd:0.4.0100", "0.4.0100 is not a bus id such as 0.0.0100"),
        ("dasd:0.00.0100", "0.00.0100 is not a bus id such as 0.0.0100"),
        ("dasd:100.0.0100", "100.0.0100 is not a bus id such as 0.0.0100"),
        ("dasd:0.0.0.0", "0.0.0.0 is not a bus id such as 0.0.0100"),
        ("dasd:0x100", "0x100 is not a bus id such as 0.0.0100"),
        ("dasd:../../x", "../../x is not a bus id such as 0.0.0100"),
        ("dasd:100:200", "200 is not NAME=VALUE"),
        ("dasd:100:=1", "nothing is not the name of an attribute"),
        ("dasd:100:../x=1", "../x is not the name of an attribute"),
        ("dasd:100:a//b=1", "a//b is not the name of an attribute"),
        ("dasd:100:/a=1", "/a is not the name of an attribute"),
        ("dasd:100:a/=1", "a/ is not the name of an attribute"),
        ("dasd:100:Readonly=1", "Readonly is not the name of an attribute"),
        (f"dasd:100:{'a' * 65}=1", f"{'a' * 64}... is not the name of an attribute"),
        ("dasd:100:online=0", "online is not for settings"),
        ("dasd:100:driver/unbind=0.0.0200", "driver/unbind is not for settings"),
        ("dasd:100:subsystem/drivers_probe=x", "subsystem/drivers_probe is not for settings"),
        ("dasd:100:readonly=", "nothing is not a value for readonly"),
        ("dasd:100:readonly=\x1b[31m", "?[31m is not a value for readonly"),
        ("dasd:100:readonly=日本", "? is not a value for readonly"),
        (f"dasd:100:x={'1' * 65}", f"{'1' * 64}... is not a value for x"),
        (f"dasd:100{':a=1' * 31}", "it has 33 parts, and 32 are the most"),
        (f"zfcp:1900:{WWPN}", "after the adapter it takes nothing, or a WWPN and a LUN"),
        ("zfcp:1900:port_rescan=1", "after the adapter it takes nothing, or a WWPN and a LUN"),
        (f"zfcp:1900:{WWPN}0:{LUN}", f"{WWPN}0 is not a WWPN of 16 hexadecimal digits"),
        (f"zfcp:1900:{WWPN}:0", "0 is not a LUN of 16 hexadecimal digits"),
        (f"zfcp:1900:0x{WWPN}:{LUN}", f"0x{WWPN} is not a WWPN of 16 hexadecimal digits"),
        ("qeth:600:601", "it takes its three channels, or the first of them"),
        ("qeth:600:601:602:603", "it takes its three channels, or the first of them"),
        ("qeth:600:601:600", "0.0.0600 is named twice"),
        ("qeth:600:601:6x2", "6x2 is not a bus id such as 0.0.0100"),
        ("qeth:fffe", "there are no two channels after 0.0.fffe"),
        ("qeth:600:layer2=1:601", "601 is not NAME=VALUE"),
    ],
)
def test_a_mistake_costs_that_device(word: str, reason: str) -> None:
    devices, mistakes = parse(f"dasd:1,{word},dasd:2")
    assert [device.name for device in devices] == ["0.0.0001", "0.0.0002"]
    (mistake,) = mistakes
    assert mistake.endswith(f" was ignored: {reason}")
    assert mistake.isprintable()
    assert mistake.isascii()


def test_a_device_counts_once_and_an_adapter_may_have_several_paths() -> None:
    other = f"{LUN[:-1]}1"
    value = f"zfcp:1900:{WWPN}:{LUN},zfcp:1900,zfcp:1900:{WWPN}:{other},zfcp:1900:{WWPN}:{LUN},zfcp:1900,dasd:1900"
    devices, mistakes = parse(f"{value},qeth:600,ccw:602,ccw:603,qeth:601")
    assert [device.name for device in devices] == [
        f"0.0.1900:{WWPN}:{LUN}",
        "0.0.1900",
        f"0.0.1900:{WWPN}:{other}",
        "0.0.0600",
        "0.0.0603",
    ]
    assert [mistake.rpartition(": ")[2] for mistake in mistakes] == [
        *("0.0.1900 is named twice",) * 3,
        "0.0.0602 is named twice",
        "0.0.0601 is named twice",
    ]


def test_there_are_64_devices_at_most() -> None:
    devices, mistakes = parse(",".join(f"dasd:{number:x}" for number in range(70)))
    assert len(devices) == 64
    assert mistakes == ("dasd:40 was ignored: there are more than 64 devices; those from here on are not read",)


@given(st.text(st.sampled_from("dasdzfcpqethccw:,.=/0123456789abcdefx \t\x1b\x01é日\udcff"), max_size=200) | st.text())
def test_any_text_is_read_and_what_comes_of_it_is_harmless(value: str) -> None:
    devices, mistakes = parse(value)
    for device in devices:
        assert device.kind in KINDS
        for text in (device.name, describe(device), *(name for name, _ in device.attributes)):
            assert text.isascii()
            assert text.isprintable()
            assert ".." not in text
    for mistake in mistakes:
        assert mistake.isascii()
        assert mistake.isprintable()


def test_a_device_is_described() -> None:
    value = f"dasd:100,zfcp:1900:{WWPN}:{LUN},qeth:600:layer2=1"
    assert [describe(device) for device in parse(value)[0]] == [
        "dasd 0.0.0100",
        f"zfcp 0.0.1900 (port {WWPN}, LUN {LUN})",
        "qeth 0.0.0600 (channels 0.0.0600, 0.0.0601, 0.0.0602; layer2=1)",
    ]


NOTES = f"""0.0.0100 dasd online
0.0.0200 dasd failed: writing 1 to online: No such device; it is boxed
0.0.0300 dasd failed
0.0.1900:{WWPN}:{LUN} zfcp failed: no port
0.0.0600 qeth online: layer2=7 was refused: Invalid argument
0.0.0700 ccw trying
"""


def test_the_notes_of_the_first_stage() -> None:
    assert states(NOTES)[:2] == (
        DeviceState("0.0.0100", "dasd", "online"),
        DeviceState("0.0.0200", "dasd", "failed", "writing 1 to online: No such device; it is boxed"),
    )
    assert problems(NOTES) == (
        "dasd 0.0.0200 is not online: writing 1 to online: No such device; it is boxed",
        "dasd 0.0.0300 is not online: no reason is known",
        f"zfcp 0.0.1900 (port {WWPN}, LUN {LUN}) is not online: no port",
        "qeth 0.0.0600 is online, but layer2=7 was refused: Invalid argument",
    )


def test_notes_that_make_no_sense_are_left_out_and_harmless() -> None:
    assert problems("") == ()
    assert problems("0.0.1 dasd broken: x\nx\n\n0.0.1 disk failed: y\n: :\n") == ()
    assert problems("0.0.0100 dasd failed: \x1b[31m" + "x" * 500) == (
        "dasd 0.0.0100 is not online: \N{REPLACEMENT CHARACTER}[31m" + "x" * 295,
    )
    assert len(problems("0.0.0100 dasd failed: x\n" * 1000)) == 64
