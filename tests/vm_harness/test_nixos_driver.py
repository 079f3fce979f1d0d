"""A machine of the NixOS test driver as one of ours, with stand-ins for the driver and for QEMU."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TextIO

import pytest

from chainboot.errors import ChainbootError
from chainboot_vm import nixos_driver
from chainboot_vm.emulator import EmulatorFactory
from chainboot_vm.machine import MachineError, QemuMachine
from chainboot_vm.nixos_driver import DriverQemu

# Repeats on every console what it is told on the first one, and says on that one with which devices it was started.
STAND_IN = r"""
import re, socket, sys, threading
def connect(path):
    end = socket.socket(socket.AF_UNIX)
    end.connect(path)
    return end
ends = {}
for before, word in zip(sys.argv, sys.argv[1:]):
    found = re.match(r"socket,id=(\w+),path=(.+)", word)
    if found:
        ends[found[1]] = connect(found[2])
    if before == "-monitor":
        monitor = connect(word.removeprefix("unix:"))
def answer():
    monitor.sendall(b"QEMU monitor\r\n(qemu) ")
    while True:
        command = monitor.recv(100).decode().strip()
        if command == "quit":
            import os
            os._exit(0)
        monitor.sendall(f"{command}\r\nanswer to {command}\r\n(qemu) ".encode())
console = ends["console0"]
devices = [word for before, word in zip(sys.argv, sys.argv[1:]) if before in ("-device", "-serial")]
console.sendall(f"up: {' '.join(devices)} {'once' if '-no-reboot' in sys.argv else 'for ever'}\r\n".encode())
threading.Thread(target=answer, daemon=True).start()
while True:
    text = console.recv(100)
    if text == b"off":
        break
    for name, end in ends.items():
        if name.startswith("console"):
            end.sendall(b"\x1b[7m" + text + b"\x1b[0m\r\n# ")
"""


class StandInDriver:
    """The driver's machine: adds its arguments, listens where its monitor is, and keeps the order of its calls."""

    def __init__(self, directory: Path, start_command: str) -> None:
        self.monitor_path = directory / "monitor"
        self.command = start_command
        self.calls: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.monitor: socket.socket | None = None

    def start(self, allow_reboot: bool = False) -> None:
        self.calls.append("start")
        self.monitor_path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(self.monitor_path))
        listening.listen(1)
        added = f" -monitor unix:{self.monitor_path} -device virtio-serial -device virtconsole,chardev=shell"
        added += " -serial stdio" + ("" if allow_reboot else " -no-reboot")
        self.process = subprocess.Popen(self.command + added, shell=True, stdin=subprocess.PIPE)  # noqa: S602
        self.monitor, _ = listening.accept()
        listening.close()
        self._prompt()

    def send_monitor_command(self, command: str) -> str:
        assert self.monitor is not None
        self.monitor.send(f"{command}\n".encode())
        return self._prompt()

    def crash(self) -> None:
        self.calls.append("crash")
        self.send_monitor_command("quit")
        self.wait_for_shutdown()

    def wait_for_shutdown(self) -> None:
        self.calls.append("wait_for_shutdown")
        assert self.process is not None
        self.process.wait(10)

    def _prompt(self) -> str:
        assert self.monitor is not None
        answer = b""
        while not answer.endswith(b"(qemu) "):
            data = self.monitor.recv(1024)
            if not data:
                break
            answer += data
        return answer.decode()


@pytest.fixture
def drivers() -> list[StandInDriver]:
    return []


@pytest.fixture
def emulator(tmp_path: Path, drivers: list[StandInDriver]) -> EmulatorFactory:
    def create_machine(start_command: str, *, name: str) -> StandInDriver:
        assert name == "a_scenario"
        drivers.append(StandInDriver(tmp_path, start_command))
        return drivers[-1]

    def made(command: Sequence[str], consoles: Sequence[Sequence[str]], _log: TextIO) -> DriverQemu:
        return DriverQemu(create_machine, "a_scenario", command, consoles)

    return made


@pytest.fixture
def machine(tmp_path: Path, emulator: EmulatorFactory) -> Iterator[QemuMachine]:
    consoles = (("-serial", "chardev:{}"), ("-device", "virtconsole,chardev={}"))
    command = [sys.executable, "-c", STAND_IN, "-device", "a disk with 'quotes'"]
    with QemuMachine(command, log=tmp_path / "log", consoles=consoles, emulator=emulator) as made:
        yield made


def test_what_is_typed_and_what_is_said(machine: QemuMachine) -> None:
    machine.start()
    machine.send_console("hello")
    machine.wait_for_console_text("hello\n")
    machine.wait_for_text_on(1, "^hello$")
    assert machine.send_monitor_command("info status") == "answer to info status\n"
    machine.send_console("off")
    machine.wait_for_shutdown()
    assert not machine.is_up()
    with pytest.raises(MachineError, match="the machine is off and can not be told: stop"):
        machine.send_monitor_command("stop")


def test_the_guest_has_the_devices_of_the_scenario_and_no_others(machine: QemuMachine) -> None:
    machine.start(allow_reboot=True)
    ours = "a disk with 'quotes' chardev:console0 virtconsole,chardev=console1"
    machine.wait_for_console_text(f"^up: {ours} for ever$")


def test_a_machine_may_not_reset_itself(machine: QemuMachine) -> None:
    machine.start()
    machine.wait_for_console_text("once$")


def test_after_a_crash_it_starts_anew(machine: QemuMachine, drivers: list[StandInDriver]) -> None:
    machine.start()
    machine.wait_for_console_text("up")
    machine.crash()
    assert not machine.is_up()
    machine.start()
    machine.wait_for_console_text("up")
    (driver,) = drivers
    assert driver.calls == ["start", "crash", *["wait_for_shutdown"] * 2, "start"]


def test_one_that_has_ended_by_itself_starts_anew(machine: QemuMachine, drivers: list[StandInDriver]) -> None:
    machine.start()
    machine.send_console("off")
    with pytest.raises(
        MachineError, match=r"^QEMU ended \(the driver's log says how\) before the console said 'never'"
    ):
        machine.wait_for_console_text("never")
    machine.start()
    machine.wait_for_console_text("up")
    assert "crash" not in drivers[0].calls


def test_nothing_is_left_running(machine: QemuMachine, drivers: list[StandInDriver]) -> None:
    machine.start()
    machine.__exit__(None, None, None)
    process = drivers[0].process
    assert process is not None and process.poll() == 0


def test_a_test_script_runs_what_it_was_written_for() -> None:
    text = nixos_driver.test_script(["a_scenario"], "s390x", sysroot="/root's", store=None)
    assert text.splitlines()[-1] == (
        "run_scenarios(['a_scenario'], 's390x', create_machine, subtest, sysroot=\"/root's\")"
    )
    compile(text, "test script", "exec")


def test_what_installs_a_boot_loader_does_not_run_there(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot" / "vmlinuz-6.1.0").touch()

    def create_machine(start_command: str, *, name: str) -> StandInDriver:
        raise AssertionError(f"a machine is made: {name}, {start_command}")

    subtest: Callable[[str], nullcontext[None]] = lambda _: nullcontext()  # noqa: E731
    with pytest.raises(ChainbootError, match="zipl_story installs a boot loader"):
        nixos_driver.run_scenarios(["zipl_story"], "s390x", create_machine, subtest, sysroot=str(tmp_path))
