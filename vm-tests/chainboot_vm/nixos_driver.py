"""Runs a scenario inside a test script of the NixOS test driver.

Knows the part of the driver that its test scripts use (nixos/lib/test-driver of nixpkgs, 24.05 and later); knows
nothing of scenarios but how to run one. The driver starts QEMU, speaks to its monitor and switches it off. What the
consoles say is read here: the driver's own reading takes terminal sequences for text and a line end for nothing, and
with a time limit it looks at one line in a second. So the machine's consoles are sockets of ours.
"""

from __future__ import annotations

import argparse
import os
import select
import shlex
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TextIO

from chainboot.errors import ChainbootError
from chainboot_vm import run, scenario
from chainboot_vm.architecture import ARCHITECTURES, architecture
from chainboot_vm.emulator import LONGEST_WAIT, EmulatorError, console_name
from chainboot_vm.sysroot import Sysroot, fetch, given

# Starts QEMU without the devices that the driver adds behind our arguments: a serial console, which on an IBM Z is the
# operator's and the system's own where `console=ttyS0` is said, and one more for a shell in the guest, which the first
# stage has not. The first word says how many of those that follow are ours.
_OUR_DEVICES = """\
import os, sys
own = 2 + int(sys.argv[1])
argv = sys.argv[2:own]
added = iter(sys.argv[own:])
for word in added:
    if word in ("-device", "-serial"):
        next(added)
    else:
        argv.append(word)
os.execvp(argv[0], argv)
"""


# What shows that the driver's machine is one of ours: its power, a console, its monitor and a network.
CORE = ("default_entry", "ssh_pick_generation")


class DriverMachine(Protocol):
    """What is used of the driver's machine."""

    def start(self, allow_reboot: bool = False) -> None: ...

    def send_monitor_command(self, command: str) -> str: ...

    def crash(self) -> None: ...

    def wait_for_shutdown(self) -> None: ...


class CreateMachine(Protocol):
    """The driver's `create_machine`."""

    def __call__(self, start_command: str, *, name: str) -> DriverMachine: ...


class DriverQemu:
    """An `Emulator` whose process is the driver's."""

    def __init__(
        self, create_machine: CreateMachine, name: str, command: Sequence[str], consoles: Sequence[Sequence[str]]
    ) -> None:
        # The driver keeps its directory to itself, and a socket's path has at most 107 bytes (unix(7)).
        self._directory = tempfile.TemporaryDirectory(prefix="consoles-")
        argv = list(command)
        self._paths: list[Path] = []
        for number, device in enumerate(consoles):
            argv += [*self._socket(console_name(number)), *(word.format(console_name(number)) for word in device)]
        # No device uses it. QEMU has it open as long as it runs.
        argv += self._socket("life")
        self._life: socket.socket | None = None
        start = [sys.executable, "-I", "-c", _OUR_DEVICES, str(len(argv)), *argv]
        self._machine = create_machine(shlex.join(start), name=name)

    def start(self, *, allow_reboot: bool) -> list[socket.socket]:
        self.kill()
        listening = [_listen(path) for path in self._paths]
        try:
            self._machine.start(allow_reboot=allow_reboot)
            *consoles, self._life = (_accept(one) for one in listening)
        finally:
            for one in listening:
                one.close()
        return consoles

    def tell(self, command: str) -> str:
        if not self.is_up():
            raise EmulatorError("the machine is off")
        return self._machine.send_monitor_command(command)

    def is_up(self) -> bool:
        return self._life is not None and not self.wait(0)

    def wait(self, seconds: float) -> bool:
        if self._life is None:
            return True
        readable, _, _ = select.select([self._life], [], [], seconds)
        return bool(readable)  # QEMU never writes to it, so this is its end

    def end(self) -> str:
        return "the driver's log says how"

    def kill(self) -> None:
        if self._life is None:
            return
        try:
            if self.is_up():
                self._machine.crash()
        except OSError:
            pass  # it has just ended by itself
        self._machine.wait_for_shutdown()
        self._life.close()
        self._life = None

    def _socket(self, name: str) -> tuple[str, str]:
        path = Path(self._directory.name, name)
        self._paths.append(path)
        return "-chardev", f"socket,id={name},path={path}"


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen(1)
    return made


def _accept(listening: socket.socket) -> socket.socket:
    """QEMU's end. It has connected before its monitor answered, so nobody waits long."""
    listening.settimeout(LONGEST_WAIT)
    try:
        connected, _ = listening.accept()
    except OSError as error:
        raise EmulatorError("QEMU did not open its consoles") from error
    connected.setblocking(True)
    return connected


def _print(what: str) -> None:
    print(what, flush=True)


def run_scenarios(
    names: Sequence[str],
    architecture_name: str,
    create_machine: CreateMachine,
    subtest: Callable[[str], AbstractContextManager[None]],
    *,
    sysroot: str | None = None,
    store: str | None = None,
    initrd: str | None = None,
    say: Callable[[str], None] = _print,
) -> None:
    """Run scenarios one after the other with the driver's `create_machine` and `subtest`.

    `sysroot`, `store` and `initrd` are those of `sysroot.given`; without a sysroot, Debian's is fetched. Raises
    `ChainbootError` for a scenario that can not be prepared, and `AssertionError` with the console's last lines for
    one that fails.
    """
    arch = architecture(architecture_name)
    if sysroot is None:
        found = fetch(arch, say=say)
    else:
        found = given(arch, Path(sysroot), store=_path(store), complete=_path(initrd))
    # The driver sends it to itself when its time is up. QEMU must not outlive that.
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit("the driver ended the test"))
    try:
        for name in names:
            _run_scenario(name, found, create_machine, subtest, say)
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_scenario(
    name: str,
    sysroot: Sysroot,
    create_machine: CreateMachine,
    subtest: Callable[[str], AbstractContextManager[None]],
    say: Callable[[str], None],
) -> None:
    found = scenario.load(name)
    if found.install is not None:
        raise ChainbootError(f"{name} installs a boot loader on its disk first, which does not run below the driver")
    ready = run.prepare(found, sysroot, say=say)

    def emulator(command: Sequence[str], consoles: Sequence[Sequence[str]], _log: TextIO) -> DriverQemu:
        return DriverQemu(create_machine, name, command, consoles)

    with subtest(f"{name}: {found.summary}"):
        outcome = run.perform(ready, say, emulator=emulator)
        assert outcome.failure is None, outcome.failure
    say(f"{name} on {sysroot.architecture.name} passed after {outcome.seconds:.1f} s")


def test_script(names: Sequence[str], architecture_name: str, **inputs: str | None) -> str:
    """A test script for the driver that runs scenarios; the arguments are those of `run_scenarios`."""
    given_inputs = "".join(f", {name}={value!r}" for name, value in inputs.items() if value is not None)
    return (
        "from chainboot_vm.nixos_driver import run_scenarios\n"
        f"run_scenarios({list(names)!r}, {architecture_name!r}, create_machine, subtest{given_inputs})\n"
    )


def _path(name: str | None) -> Path | None:
    return None if name is None else Path(name)


def main() -> None:
    """`python -m chainboot_vm.nixos_driver [--arch NAME] [--sysroot DIRECTORY ...] NAME...` prints a test script."""
    parser = argparse.ArgumentParser(prog="python -m chainboot_vm.nixos_driver", description=main.__doc__)
    parser.add_argument("--arch", default="x86_64", choices=[row.name for row in ARCHITECTURES])
    for name in ("sysroot", "store", "initrd"):
        parser.add_argument(f"--{name}", metavar="PATH", type=os.path.abspath)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(CORE), help="default: %(default)s")
    options = parser.parse_args()
    for name in options.names:
        if name not in scenario.names():
            parser.error(f"there is no scenario {name}")
    inputs = {"sysroot": options.sysroot, "store": options.store, "initrd": options.initrd}
    print(test_script(options.names, options.arch, **inputs), end="")


if __name__ == "__main__":
    main()
