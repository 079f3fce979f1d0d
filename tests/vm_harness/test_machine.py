"""A machine and its failures, with a stand-in for QEMU: a program that talks on the sockets it is handed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chainboot_vm.machine import ONE_CONSOLE, MachineError, QemuMachine

# Takes the arguments that QemuMachine adds; each further console repeats what the first one is told.
STAND_IN = r"""
import re, socket, sys, threading
ends = {}
for word in sys.argv:
    found = re.match(r"socket,id=(\w+),fd=(\d+)", word)
    if found:
        ends[found[1]] = socket.socket(fileno=int(found[2]))
def monitor():
    end = ends["monitor"]
    end.sendall(b"QEMU monitor\r\n(qemu) ")
    while True:
        command = end.recv(100).decode().strip()
        end.sendall(f"{command}\r\nanswer to {command}\r\n(qemu) ".encode())
threading.Thread(target=monitor, daemon=True).start()
console = ends["console0"]
console.sendall(b"up: %d consoles, %s\r\n" % (len(ends) - 1, b"once" if "-no-reboot" in sys.argv else b"for ever"))
while True:
    text = console.recv(100)
    if text == b"off":
        break
    for name, end in ends.items():
        if name.startswith("console"):
            end.sendall(b"\x1b[7m" + text + b"\x1b[0m\r\n# ")
"""


@pytest.fixture
def machine(tmp_path: Path) -> QemuMachine:
    return QemuMachine([sys.executable, "-c", STAND_IN], log=tmp_path / "log")


def test_what_is_typed_and_what_is_said(machine: QemuMachine) -> None:
    with machine:
        machine.start()
        machine.wait_for_console_text("up: 1 consoles, once")
        machine.send_console("hello")
        machine.wait_for_console_text("hello")
        assert machine.is_up()
        machine.send_console("off")
        machine.wait_for_shutdown()
        assert not machine.is_up()


def test_a_machine_that_may_reboot(machine: QemuMachine) -> None:
    with machine:
        machine.start(allow_reboot=True)
        machine.wait_for_console_text("for ever")


def test_the_monitor_answers(machine: QemuMachine) -> None:
    with machine:
        machine.start()
        assert machine.send_monitor_command("info status") == "answer to info status\n"
        assert machine.send_monitor_command("stop") == "answer to stop\n"


def test_a_second_console(tmp_path: Path) -> None:
    with QemuMachine([sys.executable, "-c", STAND_IN], log=tmp_path / "log", consoles=ONE_CONSOLE * 2) as machine:
        machine.start()
        machine.wait_for_console_text("up: 2 consoles")
        machine.send_console("hello")
        machine.wait_for_text_on(1, "hello")
        machine.wait_for_text_on(0, "hello")


def test_a_wait_that_is_too_long_shows_the_console(machine: QemuMachine) -> None:
    with machine:
        machine.start()
        machine.send_console("hello")
        machine.wait_for_console_text("hello")
        with pytest.raises(MachineError) as caught:
            machine.wait_for_console_text(r"a\ b", timeout=1)
    said = "\n  | up: 1 consoles, once\n  | hello\n  | # "
    assert str(caught.value) == f"the console did not say 'a b' within 1 s. The console's last lines:{said}"


def test_a_machine_that_ends_is_not_waited_for(machine: QemuMachine) -> None:
    with machine:
        machine.start()
        machine.wait_for_console_text("up")
        machine.send_console("off")
        with pytest.raises(MachineError, match=r"^QEMU ended \(exit code 0\) before the console said 'never'"):
            machine.wait_for_console_text("never")
        with pytest.raises(MachineError, match="the machine is off and can not be typed to: 'x'"):
            machine.send_console("x")
        with pytest.raises(MachineError, match="the machine is off and can not be told: stop"):
            machine.send_monitor_command("stop")


def test_a_qemu_that_does_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    machine = QemuMachine([sys.executable, "-c", "raise SystemExit(3)"], log=log)
    with machine, pytest.raises(MachineError, match=r"^QEMU ended with exit code 3; see .*log"):
        machine.start()


def test_after_a_crash_it_starts_anew(machine: QemuMachine) -> None:
    with machine:
        machine.start()
        machine.wait_for_console_text("up")
        machine.crash()
        assert not machine.is_up()
        machine.start()
        machine.wait_for_console_text("up")


def test_nothing_is_left_running(machine: QemuMachine) -> None:
    with pytest.raises(RuntimeError, match="a scenario failed"), machine:
        machine.start()
        raise RuntimeError("a scenario failed")
    assert not machine.is_up()


def test_the_log_has_every_line_and_what_was_typed(machine: QemuMachine, tmp_path: Path) -> None:
    with machine:
        machine.start()
        machine.send_console("hello")
        machine.wait_for_console_text("hello")
    log = (tmp_path / "log").read_text()
    assert "typing 'hello'" in log
    assert "] hello\n" in log
    assert log.endswith("# \n")
    assert "\x1b" not in log
