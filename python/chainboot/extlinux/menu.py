"""A configuration as it is understood: entries, the menus they are in, the default, the timeouts. Pure data.

evaluation.py makes it from a document.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.errors import Diagnostic
from chainboot.extlinux.entry import BootEntry

# MENU words that only say how a menu looks: they ask for a menu, and are otherwise left as they are.
_LOOK = (
    "AUTOBOOT BACKGROUND CLEAR CMDLINEROW COLOR COLOUR ENDROW HELP HELPMSGENDROW HELPMSGROW HIDDEN HIDDENKEY HIDDENROW "
    "HSHIFT IMMEDIATE MARGIN MSGCOLOR MSGCOLOUR NOIMMEDIATE NOSAVE NOTABMSG ONERROR PASSPROMPT PASSWORDMARGIN "
    "PASSWORDROW RESOLUTION ROWS SAVE SHIFTKEY TABMSG TABMSGROW TIMEOUTROW VSHIFT WIDTH"
)
LOOK = frozenset(_LOOK.split())


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a menu: an entry or a submenu by its index (from 0), or neither, for MENU SEPARATOR."""

    entry: int | None = None
    menu: int | None = None


@dataclass(frozen=True, slots=True)
class Menu:
    """One menu of the tree: the top one, or what stands between MENU BEGIN and MENU END.

    `label` is how its parent shows it, `hotkey` the letter for that. A submenu has the timeouts of its parent unless
    it sets its own. `default` is the entry that MENU DEFAULT marks in it, by index from 0.
    """

    parent: int | None = None
    tag: str | None = None
    title: str | None = None
    label: str | None = None
    hotkey: str | None = None
    help: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    default: int | None = None
    timeout_ds: int | None = None
    on_timeout: str | None = None
    locked: bool = False


@dataclass(frozen=True, slots=True)
class BootMenu:
    """A whole configuration. Times are in tenths of a second, as written.

    `timeout_ds`: 0 waits for ever, a negative number boots at once (NixOS 24.05 writes -10 for
    `boot.loader.timeout = 0`), None where the file does not say. `default` indexes `entries`, from 0;
    `default_arguments` are words after the label in DEFAULT, which go to the end of the command line. `menus` is the
    tree, the top menu first; `start` is the one that MENU START names. `locks` are sentences about passwords and
    options that only syslinux enforces.
    """

    file: str
    entries: tuple[BootEntry, ...] = ()
    menus: tuple[Menu, ...] = (Menu(),)
    start: int = 0
    default: int | None = None
    default_arguments: str = ""
    default_value: str | None = None
    total_timeout_ds: int | None = None
    fallback: str | None = None
    prompt: bool = False
    menu_requested: bool = False
    ui: str | None = None
    locks: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def title(self) -> str | None:
        """MENU TITLE of the top menu."""
        return self.menus[0].title

    @property
    def timeout_ds(self) -> int | None:
        """TIMEOUT of the top menu, in tenths of a second, as written."""
        return self.menus[0].timeout_ds

    @property
    def on_timeout(self) -> str | None:
        """ONTIMEOUT of the top menu: what boots when the time is up, where that is not the default."""
        return self.menus[0].on_timeout
