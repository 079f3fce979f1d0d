"""What `network --plan` makes of ip= parameters: the kernel's syntax, and what costs itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from first_stage.stage import make_stage


def plan(directory: Path, command_line: str, file: str | None = None) -> str:
    stage = make_stage(directory / "stage")
    stage.settings(command_line=command_line, file=file)
    code, output, errors = stage.run("/usr/sbin/network", "--plan")
    assert (code, errors) == (0, "")
    return output


DHCP = "others dhcp\n  udhcpc\n"


@pytest.mark.parametrize(
    ("command_line", "words"),
    [
        ("quiet", DHCP),
        ("ip=", DHCP),
        ("ip=dhcp", "dhcp - -\n  udhcpc\nothers dhcp\n  udhcpc\n"),
        ("ip=off", "off -\nothers off\n"),
        ("ip=none", "off -\nothers off\n"),
        ("ip=:::::eth1:off", "off eth1\nothers off\n"),
        ("ip=eth0:dhcp", "dhcp eth0 -\n  udhcpc\nothers off\n"),
        ("ip=::::web.example.org:eth0", "dhcp eth0 web\n  udhcpc\nothers off\n"),
        ("ip=eth0:dhcp ip=any", "dhcp eth0 -\n  udhcpc\ndhcp - -\n  udhcpc\nothers dhcp\n  udhcpc\n"),
        (
            "ip=192.0.2.2::192.0.2.1:255.255.255.0:web.example.org:eth0:none:192.0.2.53",
            "static eth0 4 192.0.2.2 24 192.0.2.1 - web\n"
            "  ip addr add 192.0.2.2/24 broadcast + dev eth0\n"
            "  ip -4 route add default via 192.0.2.1 dev eth0 metric 100\n"
            "others off\n",
        ),
        # A gateway outside of the net, as in many clouds, is on the link all the same.
        (
            "ip=10.1.2.3::172.31.1.1:32",
            "static - 4 10.1.2.3 32 172.31.1.1 direct -\n"
            "  ip addr add 10.1.2.3/32 dev FIRST\n"
            "  ip -4 route add 172.31.1.1 dev FIRST metric 100\n"
            "  ip -4 route add default via 172.31.1.1 dev FIRST metric 100\n"
            "others off\n",
        ),
        # IPv6 says nothing of IPv4.
        (
            "ip=[2001:db8::2]::[fe80::1]:64::eth0:none",
            "static eth0 6 2001:db8::2 64 fe80::1 - -\n"
            "  ip addr add 2001:db8::2/64 dev eth0\n"
            "  ip -6 route add default via fe80::1 dev eth0 metric 100\n" + DHCP,
        ),
        (
            "ip=[2001:db8:0:f::2]::[2001:db8:0:1::1]:61 ip=off",
            "static - 6 2001:db8:0:f::2 61 2001:db8:0:1::1 direct -\n"
            "  ip addr add 2001:db8:0:f::2/61 dev FIRST\n"
            "  ip -6 route add 2001:db8:0:1::1 dev FIRST metric 100\n"
            "  ip -6 route add default via 2001:db8:0:1::1 dev FIRST metric 100\n"
            "off -\nothers off\n",
        ),
        ("ip=$(reboot) ip=`x` ip=*", "bad $(reboot) $(reboot) is not an address (IPv6 addresses stand in brackets)\n"
         "bad `x` `x` is not an address (IPv6 addresses stand in brackets)\n"
         "bad * * is not an address (IPv6 addresses stand in brackets)\n" + DHCP),
    ],
)  # fmt: skip
def test_what_would_be_done(tmp_path: Path, command_line: str, words: str) -> None:
    assert plan(tmp_path, command_line) == words


@pytest.mark.parametrize(
    ("word", "address"),
    [
        # Classes, as the kernel guesses (net/ipv4/ipconfig.c), and masks.
        ("10.0.2.15", "10.0.2.15/8"),
        ("172.16.0.1", "172.16.0.1/16"),
        ("192.168.1.1", "192.168.1.1/24"),
        ("010.0.002.15", "10.0.2.15/8"),
        ("10.0.2.15:::255.255.240.0", "10.0.2.15/20"),
        ("10.0.2.15:::255.255.255.255", "10.0.2.15/32"),
        ("10.0.2.15:::08", "10.0.2.15/8"),
        ("[2001:db8::2]", "2001:db8::2/64"),
        ("[1:2:3:4:5:6:7:8]:::128", "1:2:3:4:5:6:7:8/128"),
    ],
)
def test_addresses_and_prefixes(tmp_path: Path, word: str, address: str) -> None:
    assert plan(tmp_path, f"ip={word}").split()[3:5] == address.split("/")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("300.1.1.1", "300.1.1.1 is not an address"),
        ("1.2.3", "1.2.3 is not an address"),
        ("127.0.0.1", "127.0.0.1 is not the address of a machine"),
        ("224.0.0.1", "224.0.0.1 is not the address of a machine"),
        ("2001:db8::1", "2001 is not an address (IPv6 addresses stand in brackets)"),
        ("[2001:db8::1", "a bracket is not closed"),
        ("[1::2::3]", "[1::2::3] is not an IPv6 address"),
        ("[1:2:3:4:5:6:7::8]", "[1:2:3:4:5:6:7::8] is not an IPv6 address"),
        ("[1:2:3]", "[1:2:3] is not an IPv6 address"),
        ("[12345::]", "[12345::] is not an IPv6 address"),
        ("[:1::]", "[:1::] is not an IPv6 address"),
        ("[::1]", "[::1] is not the address of a machine"),
        ("[ff02::1]", "[ff02::1] is not the address of a machine"),
        ("[2001:db8::2]:::129", "129 is not the length of a prefix"),
        ("1.2.3.4:::255.0.255.0", "255.0.255.0 is not a netmask"),
        ("1.2.3.4:::33", "33 is not a netmask"),
        ("1.2.3.4::gw", "gw is not the address of a gateway"),
        ("1.2.3.4:::::../../x", "../../x is not the name of a network interface"),
        ("1.2.3.4::::;reboot", ";reboot is not a host name"),
        (":::::eth0:auto", "auto is no way of configuration that is known here"),
        ("1.2.3.4:::::::::::", "it has 12 fields, and there are 10"),
    ],
)
def test_a_bad_one_costs_itself(tmp_path: Path, word: str, reason: str) -> None:
    assert plan(tmp_path, f"ip={word} ip=eth9:dhcp") == f"bad {word} {reason}\ndhcp eth9 -\n  udhcpc\nothers off\n"


@pytest.mark.parametrize(
    ("command_line", "file", "first"),
    [
        ("", "ip=10.0.0.2 10.0.0.3\n", "static - 4 10.0.0.2 8 - - -"),
        ("chainboot.ip=10.0.0.4", "ip=10.0.0.2\n", "static - 4 10.0.0.4 8 - - -"),
        ("ip=10.0.0.5 chainboot.ip=10.0.0.4", "ip=10.0.0.2\n", "static - 4 10.0.0.5 8 - - -"),
        ("ip=", "ip=10.0.0.2\n", "others dhcp"),
    ],
)
def test_which_one_wins(tmp_path: Path, command_line: str, file: str, first: str) -> None:
    assert plan(tmp_path, command_line, file).splitlines()[0] == first
