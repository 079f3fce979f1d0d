"""What scenarios say again and again about the menu and the payload.

Knows the lines that chainboot and the payload print, from where they are printed; knows nothing of QEMU or of ssh.
"""

from __future__ import annotations

import re

from chainboot.session.departure import BOOTING, CLOSING
from chainboot.session.state import READY
from chainboot_vm import payload
from chainboot_vm.machine import Machine
from chainboot_vm.ssh_session import Session

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


# What the first stage adds to the command line of an entry, and of one on trial (chainboot/trial/words.py).
_ENTRY = r" chainboot\.entry=[0-9a-f]{16}"
_TRIAL = r"( chainboot\.trial=\d+/\d+| panic=\d+| chainboot\.watchdog=\S+| watchdog\.open_timeout=\d+)*"


def payload_is_up(
    machine: Machine,
    generation: str,
    command_line: str,
    *,
    counted: bool = True,
    entry: str = "",
    trial: tuple[int, int] | None = None,
) -> None:
    """Wait for the payload of `generation`, whose kernel must have been given exactly `command_line`.

    Behind it stands what the first stage adds by itself, see `given`.
    """
    machine.wait_for_console_text(re.escape(f"{payload.GENERATION}{generation}\n"))
    machine.wait_for_console_text(given(command_line, counted=counted, entry=entry, trial=trial))
    machine.wait_for_console_text(re.escape(payload.UP))


def given(command_line: str, *, counted: bool = True, entry: str = "", trial: tuple[int, int] | None = None) -> str:
    """A regular expression for the line that says what the kernel was given: `command_line` and words of ours.

    A boot that is not `counted`, such as one whose command line a person edited, has none. Any other has the id of its
    entry, which is `entry` if that is known here. Nothing else may follow, except where it is try k of n, `trial`.
    """
    added = ""
    if counted:
        added = re.escape(f" chainboot.entry={entry}") if entry else _ENTRY
    if trial is not None:
        # In any order.
        added += f"(?=.* {re.escape('chainboot.trial={}/{}'.format(*trial))}( |\\n)){_TRIAL}"
    return re.escape(f"{payload.COMMAND_LINE}{command_line}") + f"{added}\\n"


# -- over SSH

# Seconds within which a client that was told that the machine leaves has its prompt back.
LINK_CLOSES = 10.0


def session_shows(session: Session, *facts: str) -> float:
    """Wait until an SSH session's screen shows the menu with `facts` in its status line, in this order.

    Returns the seconds since the client was started.
    """
    return session.wait_for(".*".join(re.escape(part) for part in (READY, *facts)))


def session_is_dismissed(session: Session, what: str, by: str = "") -> None:
    """Wait until the client has returned by itself, told that `what` boots, by whom, and that the link closes."""
    session.wait_for(re.escape(f"{BOOTING} {what}"))
    code = session.wait_for_exit(LINK_CLOSES)
    said = "\n".join(session.lines())
    assert code == 0, f"{session.name} ended with exit code {code}"
    assert re.search(rf"{re.escape(f'{BOOTING} {what}')}\b.*{re.escape(by)}", said), f"{session.name} was told:\n{said}"
    assert CLOSING in said, f"{session.name} was not told that its link closes:\n{said}"
