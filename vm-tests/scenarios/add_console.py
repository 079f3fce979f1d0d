"""An entry that names no console gets the first stage's own, where the setting says so, and that is said before."""

from __future__ import annotations

import re

from chainboot_vm import nixos, payload
from chainboot_vm.disks import Disk
from chainboot_vm.machine import Machine
from chainboot_vm.steps import menu_is_ready

# Without a console nobody would see this payload.
SILENT = nixos.Generation(1, "panic=10 loglevel=4")
DISKS = (Disk("silent", nixos.nixos_boot([SILENT], timeout=30)),)
SETTINGS = {"add_console": 1}


def run(machine: Machine) -> None:
    machine.start()
    menu_is_ready(machine, "booting in")
    machine.wait_for_console_text(r"console=tty\w+ was added")
    machine.wait_for_console_text(re.escape(f"{payload.GENERATION}1\n"))
    given = re.escape(payload.COMMAND_LINE + SILENT.command_line())
    machine.wait_for_console_text(rf"{given} console=tty\w+ chainboot\.entry=[0-9a-f]{{16}}\n")
