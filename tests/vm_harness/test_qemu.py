"""The QEMU command line, and reading what its monitor says of networks."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from chainboot.errors import NotFoundError
from chainboot_vm import qemu
from chainboot_vm.architecture import architecture
from chainboot_vm.artifacts import program
from chainboot_vm.qemu import Drive, Network

X86 = architecture("x86_64")

# As QEMU 7.2 prints it.
USERNET = """\
Hub -1 (router0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  UDP[236 sec]       18       10.0.2.15    68         0.0.0.0    67     0     0
  TCP[HOST_FORWARD]  12       127.0.0.1 40001       10.0.2.15    22     0     0
Hub 1 (router1):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[HOST_FORWARD]  13       127.0.0.1 40002       10.0.2.15    22     0     0
"""


@pytest.fixture(autouse=True)
def _qemu() -> None:
    try:
        program(X86.qemu)
    except NotFoundError:
        pytest.skip(f"{X86.qemu} is not installed")


def argv(drives: tuple[Drive, ...] = (), networks: tuple[Network, ...] = ()) -> list[str]:
    made = qemu.command_line(X86, kernel=Path("k"), initrd=Path("i"), append="quiet", drives=drives, networks=networks)
    return list(made)


def of(option: str, words: list[str]) -> list[str]:
    return [word for before, word in itertools.pairwise(words) if before == option]


def test_a_machine_has_no_network_unless_it_is_given_one() -> None:
    assert of("-netdev", argv()) == []
    assert "-nodefaults" in argv()


def test_a_watchdog_resets_the_machine() -> None:
    given = qemu.watchdog(X86)
    made = qemu.command_line(X86, kernel=Path("k"), initrd=Path("i"), drives=(), hardware=given)
    assert of("-device", list(made)) == ["i6300esb"]
    assert of("-action", list(made)) == ["watchdog=reset"]
    assert qemu.watchdog(architecture("s390x"))[:2] == ("-device", "diag288")


def test_writes_are_lost_unless_the_drive_is_kept() -> None:
    found = of("-drive", argv((Drive(Path("a")), Drive(Path("b,c"), kept=True))))
    assert found == [
        "if=none,id=disk0,format=raw,snapshot=on,file=a",
        "if=none,id=disk1,format=raw,snapshot=off,cache=unsafe,file=b,,c",
    ]


def test_hardware_that_few_machines_have() -> None:
    assert of("-drive", argv((Drive(Path("a"), read_only=True),))) == [
        "if=none,id=disk0,format=raw,snapshot=on,read-only=on,file=a"
    ]
    assert qemu.clock("1970-01-02T00:00:00") == ("-rtc", "base=1970-01-02T00:00:00")
    assert "mem-path=a,,b," in qemu.panic_store(Path("a,b"))[1]


def test_cards() -> None:
    words = argv(networks=(Network(), Network(routed=False), Network(guest_address="10.0.2.77", guest_port=2222)))
    assert of("-netdev", words) == [
        "user,id=router0,restrict=off,ipv6-prefix=fd00:c4b0::,hostfwd=tcp:127.0.0.1:0-:22",
        "hubport,id=cable1,hubid=1",
        "user,id=router2,restrict=off,ipv6-prefix=fd00:c4b0::,hostfwd=tcp:127.0.0.1:0-10.0.2.77:2222",
    ]
    assert of("-device", words) == [
        "virtio-net-pci,romfile=,id=card0,netdev=router0,mac=52:54:00:c4:b0:00",
        "virtio-net-pci,romfile=,id=card1,netdev=cable1,mac=52:54:00:c4:b0:01",
        "virtio-net-pci,romfile=,id=card2,netdev=router2,mac=52:54:00:c4:b0:02",
    ]


def test_monitor_commands() -> None:
    assert qemu.route(1, Network(isolated=True)) == (
        "netdev_add user,id=router1,restrict=on,ipv6-prefix=fd00:c4b0::,hostfwd=tcp:127.0.0.1:0-:22",
        "netdev_add hubport,id=router1-port,hubid=1,netdev=router1",
        "stop",
        "cont",
    )
    assert qemu.carrier(0, False) == "set_link card0 off"
    assert qemu.carrier(2, True) == "set_link card2 on"


def test_the_port_that_qemu_picked() -> None:
    assert qemu.forwarded_port(0, USERNET) == 40001
    assert qemu.forwarded_port(1, USERNET) == 40002
    assert qemu.forwarded_port(2, USERNET) is None
    assert qemu.forwarded_port(0, "") is None
