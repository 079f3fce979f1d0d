"""An operator's console knows lines only: the menu is numbered lines there, beside a full screen on the other one.

IBM Z: the parameter `console=ttyS0` is the terminal /dev/sclp_line0 here. What is typed on it does not reach Linux in
QEMU, not even a shell that is started by `rdinit=/bin/sh`: choosing by lines is tested on a pseudo terminal and in
ssh_verbs.
"""

from __future__ import annotations

from chainboot_vm import sample
from chainboot_vm.machine import ManyConsoles
from chainboot_vm.payload import GENERATION
from chainboot_vm.steps import ENTER, menu_is_ready

ARCHITECTURES = ("s390x",)
DISKS = (sample.disk(timeout=300),)
LINE_CONSOLE = True

OPERATOR = 1


def run(machine: ManyConsoles) -> None:
    machine.start()
    menu_is_ready(machine, "booting in")
    machine.wait_for_text_on(OPERATOR, r" 1  NixOS - Default +\(default\)\n(.*\n)*.*choose a number")
    machine.send_console(f"{sample.NUMBER_OF_GENERATION_3}{ENTER}")
    # Its command line names both consoles, and the last one is the system's own.
    machine.wait_for_text_on(OPERATOR, f"{GENERATION}3\n")
