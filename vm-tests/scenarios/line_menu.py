"""A terminal that can do nothing (TERM=dumb) gets numbered lines, and everything is done by typing lines.

So it is on an operator's console of an IBM Z. Nothing there needs a cursor key.
"""

from __future__ import annotations

from chainboot_vm import sample
from chainboot_vm.machine import Machine
from chainboot_vm.steps import payload_is_up

DISKS = (sample.disk(timeout=600),)
# The kernel hands a word that it does not know to init, as part of its environment.
PARAMETERS = "TERM=dumb"

PROMPT = "chainboot: choose a number"


def run(machine: Machine) -> None:
    machine.start()
    machine.wait_for_console_text(f" 1  NixOS - Default +\\(default\\)\n(.*\n)*{PROMPT}")
    machine.send_console("STATUS\n")
    machine.wait_for_console_text("SSH|ssh")
    machine.send_console("plan 5\n")
    machine.wait_for_console_text("boot nixos-3-default: ")
    machine.wait_for_console_text("kexec -a -l")
    machine.send_console("boot 5 --append single\n")
    payload_is_up(machine, "3", f"{sample.GENERATIONS[2].command_line()} single", counted=False)
