"""A machine with networks, with a stand-in for QEMU that answers on its monitor and picks a port of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chainboot_vm import access
from chainboot_vm.machine import MachineError
from chainboot_vm.networked import NetworkedQemuMachine
from chainboot_vm.qemu import Network

STAND_IN = r"""
import os, re, socket, sys
ends = {}
for word in sys.argv:
    found = re.match(r"socket,id=(\w+),fd=(\d+)", word)
    if found:
        ends[found[1]] = socket.socket(fileno=int(found[2]))
ends["console0"].sendall(b"up\r\n")
monitor = ends["monitor"]
routed = {0}
monitor.sendall(b"(qemu) ")
while True:
    command = monitor.recv(200).decode().strip()
    answer = ""
    if command == "info usernet":
        for card in routed:
            answer += f"Hub {card} (router{card}):\r\n"
            answer += f"  TCP[HOST_FORWARD]  3  127.0.0.1 {os.getpid()}  10.0.2.15  22  0  0\r\n"
    elif command.startswith("netdev_add user,id=router1,"):
        routed.add(1)
    elif command.startswith("netdev_add hubport,id=router1-port,hubid=1,"):
        pass
    elif command in ("set_link card0 off", "stop", "cont"):
        pass
    else:
        answer = f"Error: {command.split(',')[0]}\r\n"
    monitor.sendall(f"{command}\r\n{answer}(qemu) ".encode())
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[NetworkedQemuMachine]:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    with NetworkedQemuMachine(
        [sys.executable, "-c", STAND_IN],
        log=tmp_path / "log",
        networks=(Network(), Network(routed=False), Network(routed=False)),
        access=access.keys(build=tmp_path),
    ) as made:
        yield made


def test_a_machine_that_was_started_again_is_behind_another_port(machine: NetworkedQemuMachine) -> None:
    machine.start()
    first = machine.forwarded_port()
    assert machine.forwarded_port() == first
    machine.crash()
    machine.start()
    assert machine.forwarded_port() != first


def test_a_network_whose_router_comes_later(machine: NetworkedQemuMachine) -> None:
    machine.start()
    with pytest.raises(MachineError, match="no port leads to network card 1"):
        machine.forwarded_port(1)
    machine.plug_in_router(1)
    assert machine.forwarded_port(1) > 0


def test_what_qemu_refuses_is_told(machine: NetworkedQemuMachine) -> None:
    machine.start()
    machine.set_carrier(False)
    with pytest.raises(MachineError, match="QEMU refused: Error: set_link card2 on"):
        machine.set_carrier(True, 2)
    with pytest.raises(MachineError, match=r"QEMU refused netdev_add user,id=router2,.*: Error: netdev_add user"):
        machine.plug_in_router(2)


def test_clients_end_with_the_machine(machine: NetworkedQemuMachine) -> None:
    machine.start()
    session = machine.ssh().open("status")
    machine.__exit__(None, None, None)
    assert not session.is_open()


def test_when_a_line_came(machine: NetworkedQemuMachine) -> None:
    machine.start()
    machine.wait_for_console_text("up")
    found = machine.seconds_of("^up$")
    assert found is not None and 0 < found <= machine.seconds()
    assert machine.seconds_of("down") is None
