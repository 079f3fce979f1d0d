"""Who sits in front of a session: a name that others are told, and what they may do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainboot.remote.role import Role
from chainboot.text import clip, printable

if TYPE_CHECKING:
    from chainboot.session.state import Abilities

_NAME_CELLS = 60


@dataclass(frozen=True, slots=True)
class Person:
    """`name` is clean and short; `remote`: over SSH, so that leaving is possible and ends the session."""

    name: str
    role: Role
    remote: bool

    def abilities(self) -> Abilities:
        """What the menu offers them."""
        from chainboot.session.state import Abilities  # late: a verb does without the menu

        return Abilities(
            can_boot=self.role.allows(Role.BOOT),
            can_rescan=self.role.allows(Role.BOOT),
            can_edit=self.role.allows(Role.EDIT),
            can_shell=self.role.allows(Role.ADMIN),
            can_quit=self.remote,
            can_ask=True,
        )

    def facts(self) -> tuple[str, ...]:
        """What they are told about themselves."""
        return (f"You are {self.name}; this key may {self.role.may}.",) if self.remote else ()


def at_console(terminal: str) -> Person:
    """Whoever sits at a console: the machine's own loader lets them do everything anyway."""
    return Person(f"somebody at {terminal}", Role.ADMIN, remote=False)


def over_ssh(role: Role, comment: str, environment: Mapping[str, str]) -> Person:
    """Whoever holds a key with this comment, at the address that the SSH server tells (ssh(1), SSH_CONNECTION)."""
    told = environment.get("SSH_CONNECTION") or environment.get("SSH_CLIENT") or ""
    address = printable(told.split()[0]) if told.split() else "an unknown address"
    key = clip(printable(comment).strip(), _NAME_CELLS) or "a key without a comment"
    return Person(f"{key} from {clip(address, _NAME_CELLS)}", role, remote=True)


def console_name(descriptor: int = 0) -> str:
    """The terminal behind `descriptor`, as `ttyS0`."""
    try:
        return os.ttyname(descriptor).removeprefix("/dev/")
    except OSError:
        return "a console"
