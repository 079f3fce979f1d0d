"""Whether the machine can be reached: texts of /proc as a kernel wrote them, and what a person is told."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainboot.remote.reach import Reach, addresses, listening, read_reach

# The kernel writes each table after the other; with one table only, it says it twice.
FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.0.2.0/24 2 0 2
        +-- 10.0.2.0/28 2 0 2
           |-- 10.0.2.0
              /24 link UNICAST
           |-- 10.0.2.15
              /32 host LOCAL
        |-- 10.0.2.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     |-- 192.0.2.7
        /32 link UNICAST
        /32 host LOCAL
Local:
           |-- 10.0.2.15
              /32 host LOCAL
"""
IF_INET6 = """00000000000000000000000000000001 01 80 10 80       lo
fec00000000000005054000ffe123456 02 40 40 00     eth0
fe800000000000005054000ffe123456 02 40 20 80     eth0
20010db8000000000000000000000015 02 40 00 00     eth0
20010db8000000000000000000000016 02 40 00 40     eth0
20010db8000000000000000000000017 02 40 00 48     eth0
20010db8000000000000000000000018 02 40 00 08     eth0
fd00000000010000000200030000000a 03 40 00 80     eth1
"""
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TCP = (
    f"{HEAD}   0: 00000000:08AE 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0\n"
)
TCP6 = f"{HEAD}   0: {'0' * 32}:0016 {'0' * 32}:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n"
CONNECTED = f"{HEAD}   1: 0F02000A:0016 0202000A:08AE 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n"


def test_addresses_are_those_that_others_may_use() -> None:
    assert addresses(FIB_TRIE, IF_INET6) == ("10.0.2.15", "192.0.2.7", "2001:db8::15", "fd00:0:1:0:2:3:0:a")
    assert addresses("", "") == ()


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_stops_it(one: str, two: str) -> None:
    addresses(one, two)
    addresses(FIB_TRIE.replace("LOCAL", one), IF_INET6.replace("40", two))
    listening(one, TCP.replace("0A", two), 22)


@given(st.one_of(st.integers(0, 2**128 - 1), st.lists(st.sampled_from([0, 1, 0xABC, 0xFFFF]), min_size=8, max_size=8)))
def test_ipv6_is_written_in_the_one_short_form(value: int | list[int]) -> None:
    number = value if isinstance(value, int) else int("".join(f"{group:04x}" for group in value), 16)
    line = f"{number:032x} 02 40 00 00 eth0\n"
    assert addresses("", line) == (str(ipaddress.IPv6Address(number)),)


@pytest.mark.parametrize(
    ("tcp", "tcp6", "port", "expected"),
    [
        (TCP, "", 2222, True),
        ("", TCP6, 22, True),
        (TCP, TCP6, 22, True),
        (TCP, "", 22, False),
        (CONNECTED, "", 22, False),
        (CONNECTED, "", 2222, False),
        (TCP, "", 0xAE, False),
        ("", "", 22, False),
    ],
)
def test_listening_is_not_being_connected(tcp: str, tcp6: str, port: int, expected: bool) -> None:
    assert listening(tcp, tcp6, port) is expected


@pytest.mark.parametrize(
    ("reach", "served", "answers", "facts"),
    [
        (
            Reach("on", 2222, ("10.0.2.15", "2001:db8::15"), True, "ED25519 SHA256:x", ("a key was refused",)),
            True,
            True,
            (
                "ssh -p 2222 root@10.0.2.15",
                "ssh -p 2222 root@2001:db8::15",
                "host key ED25519 SHA256:x",
                "a key was refused",
            ),
        ),
        (Reach("on", addresses=("10.0.2.15",), listening=True), True, True, ("ssh root@10.0.2.15",)),
        (Reach("on", listening=True), True, False, ("network: no address yet",)),
        (
            Reach("on", addresses=("10.0.2.15",)),
            True,
            False,
            ("network: 10.0.2.15", "SSH does not answer on port 22"),
        ),
        (Reach("starting"), True, False, ("network: no address yet", "SSH is starting")),
        (
            Reach("off: no key may log in", addresses=("10.0.2.15",), listening=True),
            False,
            False,
            ("SSH is off: no key may log in",),
        ),
        (Reach("off"), False, False, ()),
    ],
)
def test_a_person_is_told_how_or_why_not(reach: Reach, served: bool, answers: bool, facts: tuple[str, ...]) -> None:
    assert (reach.served, reach.answers, reach.facts()) == (served, answers, facts)


def test_it_is_read_from_the_notes_and_from_proc(tmp_path: Path) -> None:
    (tmp_path / "run/ssh").mkdir(parents=True)
    (tmp_path / "run/network").mkdir()
    (tmp_path / "proc/net").mkdir(parents=True)
    for name, text in {
        "run/ssh/state": "on\n",
        "run/ssh/port": "2222\n",
        "run/ssh/fingerprint": "ED25519 SHA256:x\x1b[2J\nmore\n",
        "run/network/started": "31\n",
        "run/ssh/problems": "one\n\n two\x07 \n",
        "proc/net/fib_trie": FIB_TRIE,
        "proc/net/if_inet6": IF_INET6,
        "proc/net/tcp": TCP,
        "proc/net/tcp6": TCP6,
    }.items():
        (tmp_path / name).write_text(text)
    assert read_reach(str(tmp_path / "run"), str(tmp_path / "proc")) == Reach(
        "on",
        2222,
        ("10.0.2.15", "192.0.2.7", "2001:db8::15", "fd00:0:1:0:2:3:0:a"),
        True,
        "ED25519 SHA256:x\N{REPLACEMENT CHARACTER}[2J",
        ("one", "two\N{REPLACEMENT CHARACTER}"),
        31,
    )
    (tmp_path / "run/ssh/port").write_bytes(b"\xff22")
    (tmp_path / "run/network/started").write_text("-1\n")
    assert read_reach(str(tmp_path / "run"), str(tmp_path / "proc")).started == 0
    assert read_reach(str(tmp_path / "run"), str(tmp_path / "proc")).port == 22


def test_without_notes_it_is_about_to_start_in_the_first_stage_and_no_topic_elsewhere(tmp_path: Path) -> None:
    assert read_reach(str(tmp_path), str(tmp_path)) == Reach("off")
    (tmp_path / "first-stage").touch()
    assert read_reach(str(tmp_path), str(tmp_path)) == Reach("starting")
    (tmp_path / "ssh/state").mkdir(parents=True)
    assert read_reach(str(tmp_path), str(tmp_path)).state == "starting"
