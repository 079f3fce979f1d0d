"""What the holder of a key may do. Pure; knows nothing of keys, verbs or files."""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    """Each role includes the ones before it; the value is the word in a forced command and in a setting."""

    VIEW = "view"
    BOOT = "boot"
    EDIT = "edit"
    ADMIN = "admin"

    def allows(self, needed: Role) -> bool:
        """Whether this role may do what `needed` is the least role for."""
        return _ORDER.index(self) >= _ORDER.index(needed)

    @property
    def may(self) -> str:
        """What the role may do, to be read after "this key may"."""
        return _MAY[self]


def least(first: Role, second: Role) -> Role:
    """The role of the two that may do less."""
    return first if second.allows(first) else second


_ORDER = tuple(Role)

_MAY = {
    Role.VIEW: "look",
    Role.BOOT: "look and boot an entry",
    Role.EDIT: "look, boot an entry and change its command line",
    Role.ADMIN: "do everything, and open a shell",
}


def parse_role(text: str) -> Role | None:
    """The role of that name, in any case and with blanks around it; None where there is no such role."""
    word = text.strip().lower()
    return next((role for role in Role if role.value == word), None)
