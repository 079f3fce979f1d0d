"""`python -m chainboot_vm.audit`: what ssh-audit says of the first stage's SSH server.

Boots the first stage and runs ssh-audit against it. That is no dependency of the project: it gets a virtual
environment of its own below build/. The exit code is ssh-audit's: 0, or 2 for warnings and 3 for failures, which are
for a person to judge: what dropbear offers was decided when it was built.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from chainboot.errors import ChainbootError
from chainboot.process import Runner
from chainboot.process import run as run_program
from chainboot_vm import access, additions, disks, first_stage, qemu, sample
from chainboot_vm.additions import Additions
from chainboot_vm.architecture import architecture
from chainboot_vm.artifacts import BUILD
from chainboot_vm.networked import NetworkedQemuMachine
from chainboot_vm.qemu import Network
from chainboot_vm.run import PARAMETERS
from chainboot_vm.ssh import ADDRESS
from chainboot_vm.sysroot import fetch

_INSTALLING = 300.0
# Seconds. ssh-audit connects some dozen times, one after the other, and each waits for an emulated key exchange.
_ASKING = 600
_ANSWER = 30


def tool(*, build: Path = BUILD, runner: Runner = run_program, say: Callable[[str], None]) -> Path:
    """ssh-audit's program, installed below `build` unless it is there. Raises `ChainbootError`."""
    venv = build / "audit-venv"
    program = venv / "bin" / "ssh-audit"
    if not program.exists():
        say(f"installing ssh-audit into {venv}")
        runner((sys.executable, "-m", "venv", str(venv)), check=True, timeout=_INSTALLING)
        pip = (str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "ssh-audit")
        runner(pip, check=True, timeout=_INSTALLING)
    return program


def argv(program: Path, port: int, *, colours: bool = False) -> tuple[str, ...]:
    """The audit of the server behind `port` of this machine, in `colours` for a terminal.

    Without the test that opens connections as fast as it can: it measures the emulator.
    """
    options = ("--skip-rate-test", f"--timeout={_ANSWER}", f"--port={port}")
    return (str(program), *(() if colours else ("--no-colors",)), *options, ADDRESS)


def main() -> int:
    """Boot, ask, print the report, and return ssh-audit's exit code."""
    arch = architecture("x86_64")
    program = tool(say=print)
    sysroot = fetch(arch, say=print)
    keys = access.keys()
    network = Network()
    command = qemu.command_line(
        arch,
        kernel=sysroot.kernel,
        initrd=additions.append(
            Additions(keys=("admin",), host_key=True), first_stage.initrd(sysroot, say=print), keys
        ),
        append=f"{qemu.consoles(arch, 1)} {PARAMETERS}",
        drives=[qemu.Drive(disks.image(sample.disk(timeout=0), sysroot))],
        networks=[network],
    )
    log = BUILD / "vm-logs" / "audit.log"
    with NetworkedQemuMachine(command, log=log, networks=[network], access=keys) as machine:
        machine.start()
        print("waiting for the SSH server", flush=True)
        machine.ssh().wait_for_ssh()
        words = argv(program, machine.forwarded_port(), colours=sys.stdout.isatty())
        try:
            return subprocess.run(words, check=False, timeout=_ASKING).returncode
        except subprocess.TimeoutExpired as error:
            raise ChainbootError(f"ssh-audit had not ended after {_ASKING} s") from error


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ChainbootError as problem:
        sys.exit(f"error: {problem}" + (f"\n(hint) {problem.hint}" if problem.hint else ""))
