"""`make demo`: the first stage on this terminal, with the disk of a NixOS machine.

Knows whether a person is there. With one, QEMU gets the terminal. Without (a pipe, CI), nobody types: the default
boots by itself, its console lines go to stdout, and the exit code says whether the right kernel came up.
"""

from __future__ import annotations

import sys
import time

from chainboot.errors import ChainbootError
from chainboot.process import interact
from chainboot_vm import disks, first_stage, qemu, sample
from chainboot_vm.architecture import architecture
from chainboot_vm.artifacts import BUILD
from chainboot_vm.machine import QemuMachine
from chainboot_vm.run import PARAMETERS
from chainboot_vm.steps import menu_is_ready, payload_is_up
from chainboot_vm.sysroot import fetch

_TIMEOUT_DS = 100


def main() -> int:
    """Make what is missing, start the machine, and return the exit code."""
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"demo: [{time.monotonic() - began:5.1f} s] {what}", flush=True)

    arch = architecture("x86_64")
    sysroot = fetch(arch, say=say)
    command = qemu.command_line(
        arch,
        kernel=sysroot.kernel,
        initrd=first_stage.initrd(sysroot, say=say),
        append=f"{qemu.consoles(arch, 1)} {PARAMETERS}",
        drives=[qemu.Drive(disks.image(sample.disk("demo", _TIMEOUT_DS), sysroot))],
    )
    if sys.stdin.isatty() and sys.stdout.isatty():
        say("starting the machine on this terminal; without KVM the menu takes some ten seconds to appear")
        say("To leave: Ctrl-A, then x.")
        code = interact([*command, "-serial", "mon:stdio"])
        # QEMU has restored the terminal's modes, not where the cursor was.
        print()
        return code
    say("there is no terminal, so nobody will press a key: the default must boot by itself")
    log = BUILD / "vm-logs" / "demo.log"
    with QemuMachine(command, log=log, echo=lambda text: print(text, flush=True)) as machine:
        machine.start()
        menu_is_ready(machine, f"{sample.ENTRIES} entries")
        payload_is_up(machine, "5", sample.NEWEST.command_line())
    say("passed: generation 5 came up with its own command line")
    return 0


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
