"""`make demo [ARCH=s390x]`: the first stage on this terminal and over SSH, with the disk of a NixOS machine.

Knows whether a person is there. With one, QEMU gets the terminal, and the command for a second terminal is printed.
Without (a pipe, CI), nobody types: SSH answers, the default boots by itself, its console lines go to stdout, and the
exit code says whether the right kernel came up.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chainboot.errors import ChainbootError
from chainboot.process import interact, pasteable
from chainboot_vm import access, additions, disks, first_stage, qemu, sample
from chainboot_vm.access import HOST, ROLES, Access
from chainboot_vm.additions import Additions
from chainboot_vm.architecture import Architecture, architecture
from chainboot_vm.artifacts import BUILD
from chainboot_vm.networked import NetworkedQemuMachine
from chainboot_vm.qemu import Network
from chainboot_vm.run import PARAMETERS
from chainboot_vm.ssh import ADDRESS
from chainboot_vm.steps import menu_is_ready, payload_is_up
from chainboot_vm.sysroot import Sysroot, fetch, given

_TIMEOUT_DS = 100

# Seconds for which the countdown runs once SSH answers: time to type the command, where somebody is there to do it.
_WINDOW = 120
_NOBODYS_WINDOW = 10


def main() -> int:
    """Make what is missing, start the machine, and return the exit code."""
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"demo: [{time.monotonic() - began:5.1f} s] {what}", flush=True)

    person = sys.stdin.isatty() and sys.stdout.isatty()
    arch, sysroot = inputs(sys.argv[1:], say)
    keys = access.keys()
    settings = {"ssh_window": _WINDOW if person else _NOBODYS_WINDOW, "network_wait": _WINDOW}
    network = Network(host_port=free_port())
    command = qemu.command_line(
        arch,
        kernel=sysroot.kernel,
        initrd=additions.append(Additions(settings, ROLES, host_key=True), first_stage.initrd(sysroot, say=say), keys),
        append=f"{qemu.consoles(arch, 1)} {PARAMETERS}",
        drives=[qemu.Drive(disks.image(sample.disk("demo", _TIMEOUT_DS), sysroot))],
        networks=[network],
    )
    if person:
        say("starting the machine on this terminal; without KVM the menu takes some ten seconds to appear")
        say("In another terminal, as soon as the menu shows an address:")
        print(f"\n  {way_in(keys, network.host_port)}\n", flush=True)
        say("The keys beside that one may less: view, boot, edit. To leave: Ctrl-A, then x.")
        code = interact([*command, "-serial", "mon:stdio"])
        # QEMU has restored the terminal's modes, not where the cursor was.
        print()
        return code
    say("there is no terminal, so nobody will press a key: the default must boot by itself")
    log = BUILD / "vm-logs" / "demo.log"
    with NetworkedQemuMachine(
        command, log=log, networks=[network], access=keys, echo=lambda text: print(text, flush=True)
    ) as machine:
        machine.start()
        menu_is_ready(machine, f"{sample.ENTRIES} entries")
        say(f"the way in, while it lasts: {way_in(keys, network.host_port)}")
        seconds = machine.ssh().wait_for_ssh()
        say(f"SSH answered {seconds:.1f} s after the start")
        payload_is_up(machine, "5", sample.NEWEST.command_line())
    say("passed: generation 5 came up with its own command line")
    return 0


def inputs(arguments: Sequence[str], say: Callable[[str], None]) -> tuple[Architecture, Sysroot]:
    """The machine and what it boots: Debian's packages, or what Nix has made of its own."""
    parser = argparse.ArgumentParser(prog="python -m chainboot_vm.demo")
    parser.add_argument("architecture", nargs="?", default="x86_64")
    for name in ("sysroot", "store", "initrd"):
        parser.add_argument(f"--{name}", metavar="PATH", type=Path)
    options = parser.parse_args(arguments)
    arch = architecture(options.architecture)
    if options.sysroot is None:
        return arch, fetch(arch, say=say)
    return arch, given(arch, options.sysroot, store=options.store, complete=options.initrd)


def free_port() -> int:
    """A TCP port of this machine that nobody listens on. QEMU cannot be asked for its choice while a person has it."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def way_in(keys: Access, port: int) -> str:
    """The command for another terminal, as short as it can be without a question about the host key."""
    argv = ["ssh", "-F", "none", "-i", _shown(keys.private("admin")), "-p", str(port)]
    argv += ["-o", f"HostKeyAlias={HOST}", "-o", f"UserKnownHostsFile={_quoted(_shown(keys.known_hosts))}"]
    return pasteable([*argv, f"root@{ADDRESS}"])


def _shown(path: Path) -> str:
    """From where the person is, if that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


def _quoted(path: str) -> str:
    """As ssh_config(5) takes a path: it splits at blanks."""
    return f'"{path}"' if " " in path else path


def run() -> None:
    """The entry point: errors in words, and the exit code."""
    try:
        sys.exit(main())
    except ChainbootError as error:
        print(f"demo: failed: {error}" + (f"\n(hint) {error.hint}" if error.hint else ""), flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
