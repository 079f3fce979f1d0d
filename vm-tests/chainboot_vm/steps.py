"""What scenarios say again and again about the menu and the payload.

Knows the lines that chainboot and the payload print, from where they are printed; knows nothing of QEMU.
"""

from __future__ import annotations

import re

from chainboot.session.state import READY
from chainboot_vm import payload
from chainboot_vm.machine import Machine

ENTER = "\r"
ESCAPE = "\x1b"
UP = "\x1b[A"
DOWN = "\x1b[B"
HOME = "\x1b[H"


def control(letter: str) -> str:
    """The byte that Ctrl and a letter send."""
    return chr(ord(letter.upper()) & 0x1F)


def menu_is_ready(machine: Machine, *facts: str) -> None:
    """Wait for the menu's status line; each of `facts` must stand in it, in this order."""
    machine.wait_for_console_text(".*".join(re.escape(part) for part in (READY, *facts)))


def stop_countdown(machine: Machine) -> None:
    """Wait for a menu that counts down, and press a key that does nothing else."""
    menu_is_ready(machine, "booting in")
    machine.send_console(HOME)
    menu_is_ready(machine, "countdown stopped")


def payload_is_up(machine: Machine, generation: str, command_line: str) -> None:
    """Wait for the payload of `generation`, whose kernel must have been given exactly `command_line`."""
    machine.wait_for_console_text(re.escape(f"{payload.GENERATION}{generation}\n"))
    machine.wait_for_console_text(re.escape(f"{payload.COMMAND_LINE}{command_line}\n"))
    machine.wait_for_console_text(re.escape(payload.UP))
