"""The tree of menus while a configuration is read: which one is open, and what stands in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainboot.extlinux.entry import BootEntry, split_hotkey
from chainboot.extlinux.menu import Menu, Row

# syslinux has no limit; every entry carries the names of the menus around it.
MENU_DEPTH = 32
MENU_LIMIT = 10_000

# What a menu adds to the `menu_path` of its entries: that is a line for people, and `menus` has the whole name.
_NAME_LIMIT = 80


class MenuTree:
    """The menus so far; `current` is the open one. The rules are those of com32/menu/readconfig.c."""

    def __init__(self) -> None:
        self.menus = [Menu()]
        self._rows: list[list[Row]] = [[]]
        self._help: list[list[str]] = [[]]
        self._depths = [0]
        self._of_entries: list[int] = []
        self._unopened = 0
        self.current = 0

    @property
    def menu(self) -> Menu:
        """The open menu."""
        return self.menus[self.current]

    @menu.setter
    def menu(self, menu: Menu) -> None:
        self.menus[self.current] = menu

    def begin(self, tag: str | None) -> bool:
        """MENU BEGIN: open a submenu, which inherits the timeouts. False where that would be too deep or too many."""
        if self._depths[self.current] >= MENU_DEPTH or len(self.menus) >= MENU_LIMIT:
            self._unopened += 1
            return False
        around = self.menu
        self._rows[self.current].append(Row(menu=len(self.menus)))
        self._depths.append(self._depths[self.current] + 1)
        self._rows.append([])
        self._help.append([])
        self.menus.append(Menu(self.current, tag, timeout_ds=around.timeout_ds, on_timeout=around.on_timeout))
        self.current = len(self.menus) - 1
        return True

    def end(self) -> None:
        """MENU END: back to the menu around; without a MENU BEGIN it is harmless."""
        if self._unopened:
            self._unopened -= 1
        else:
            self.current = self.menu.parent or 0

    def leave(self, menu: int) -> None:
        """End `menu` and every menu that was left open inside it."""
        self._unopened = 0
        self.current = self.menus[menu].parent or 0

    def separate(self) -> None:
        """MENU SEPARATOR: an empty row."""
        self._rows[self.current].append(Row())

    def add_entry(self) -> None:
        """The next entry stands in the open menu."""
        self._rows[self.current].append(Row(entry=len(self._of_entries)))
        self._of_entries.append(self.current)

    def add_help(self, lines: Sequence[str]) -> None:
        """TEXT HELP of the open menu; several add up."""
        self._help[self.current] += lines

    def set_title(self, title: str | None) -> None:
        """MENU TITLE; in a submenu it also names the row in the parent, unless MENU LABEL did."""
        menu = replace(self.menu, title=title)
        if self.current and menu.label is None:
            hotkey, label = split_hotkey(title or "")
            menu = replace(menu, label=label, hotkey=hotkey)
        self.menu = menu

    def set_label(self, text: str) -> None:
        """MENU LABEL right after MENU BEGIN; the title too, unless MENU TITLE gave one. Nothing in the top menu."""
        if self.current:
            hotkey, label = split_hotkey(text)
            self.menu = replace(self.menu, label=label, hotkey=hotkey, title=self.menu.title or label)

    def finish(self, entries: Sequence[BootEntry]) -> tuple[tuple[BootEntry, ...], tuple[Menu, ...]]:
        """The entries with the names of the menus around them, and all menus with their rows."""
        paths: list[tuple[str, ...]] = []
        for menu in self.menus:  # a parent comes before its submenus
            name = (menu.label or menu.title or menu.tag or "")[:_NAME_LIMIT]
            paths.append(() if menu.parent is None else (*paths[menu.parent], name))
        placed = tuple(
            replace(entry, menu_path=paths[menu]) if menu else entry
            for entry, menu in zip(entries, self._of_entries, strict=True)
        )
        parts = zip(self.menus, self._rows, self._help, strict=True)
        return placed, tuple(replace(menu, rows=tuple(rows), help=tuple(lines)) for menu, rows, lines in parts)
