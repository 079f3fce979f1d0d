"""oracle/syslinux_menu.json: what syslinux' own menu parser made of every file, as dataclasses.

Its README says where it comes from: com32/menu/readconfig.c, compiled with host stubs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from chainboot.image.json_value import JsonValue

# The stubs' CLK_TCK is 100, and TIMEOUT counts tenths of a second.
TICKS_PER_TENTH = 10


class Action(Enum):
    """com32/menu/menu.h: enum menu_action."""

    COMMAND = 1
    DISABLED = 2
    SUBMENU = 3
    GOTO = 4
    QUIT = 6
    EXIT = 7
    HELP = 9


@dataclass(frozen=True, slots=True)
class OracleEntry:
    """A row of a syslinux menu. `hotkey` is the code of the character with bit 0x20 cleared, 0 for none."""

    action: Action
    label: str | None
    display: str | None
    cmdline: str | None
    help: str | None
    hotkey: int
    password: bool

    @classmethod
    def from_json(cls, value: JsonValue) -> OracleEntry:
        """One of the `entries`."""
        got = value.members(("action", "label", "display", "cmdline", "help", "hotkey", "passwd"))
        return cls(
            Action(got["action"].integer(1, 9)),
            _text(got["label"]),
            _text(got["display"]),
            _text(got["cmdline"]),
            _text(got["help"]),
            got["hotkey"].integer(0, 255),
            bool(got["passwd"].integer(0, 1)),
        )


@dataclass(frozen=True, slots=True)
class OracleMenu:
    """A syslinux menu. `default` counts its rows from 0, which is also what it is where nothing was said."""

    tag: str | None
    title: str
    rows: tuple[OracleEntry, ...]
    default: int
    timeout_ticks: int
    on_timeout: str | None
    editable: bool
    master: bool

    @classmethod
    def from_json(cls, value: JsonValue) -> OracleMenu:
        """One of the `menus`."""
        got = value.members(
            ("menu", "title", "entries", "defentry", "timeout_ticks", "ontimeout", "allowedit", "master")
        )
        return cls(
            _text(got["menu"]),
            _text(got["title"]) or "",
            tuple(OracleEntry.from_json(entry) for entry in got["entries"].items()),
            got["defentry"].integer(0, 1 << 31),
            got["timeout_ticks"].integer(-(1 << 31), 1 << 31),
            _text(got["ontimeout"]),
            bool(got["allowedit"].integer(-(1 << 31), 1 << 31)),
            bool(got["master"].integer(0, 1)),
        )


@dataclass(frozen=True, slots=True)
class OracleFile:
    """A whole configuration: the menus in the order of their MENU BEGIN, the top one first, and the hidden rows."""

    menus: tuple[OracleMenu, ...]
    hidden: tuple[OracleEntry, ...]
    start: str | None
    total_timeout_ticks: int

    @classmethod
    def from_json(cls, value: JsonValue) -> OracleFile:
        """The value of one file's name."""
        got = value.members(("menus", "start", "totaltimeout"))
        menus = [OracleMenu.from_json(menu) for menu in got["menus"].items()]
        menus.reverse()  # readconfig.c puts every new menu in front of its list
        (hidden,) = (menu.rows for menu in menus if menu.tag == ".hidden")
        seen = tuple(menu for menu in menus if menu.tag != ".hidden")
        if seen[0].tag != ".top":
            value.refuse("the first menu is not .top")
        return cls(seen, hidden, _text(got["start"]), got["totaltimeout"].integer(0, 1 << 40))


def read_oracle(text: str, name: str) -> dict[str, OracleFile]:
    """Every file's result, by the path of the file below public/."""
    whole = JsonValue.parse(text, name)
    files = [str(file) for file in whole.raw] if isinstance(whole.raw, dict) else []
    return {file: OracleFile.from_json(value) for file, value in whole.members(files).items()}


def _text(value: JsonValue) -> str | None:
    return None if value.raw is None else value.text()
