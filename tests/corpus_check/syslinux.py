"""Our menu beside syslinux' own, field by field: the tree of menus, every row in it, the defaults and the timeouts."""

from __future__ import annotations

from dataclasses import dataclass

from corpus_check.explanations import (
    RULES,
    Place,
    empty_menus_of_missing_files,
    explain,
    folded,
    row_keys,
)
from corpus_check.oracle import TICKS_PER_TENTH, Action, OracleEntry, OracleFile
from corpus_check.tally import Tally

from chainboot.extlinux.entry import KEYWORD_KINDS, BootEntry, Kind
from chainboot.extlinux.menu import BootMenu, Menu, Row

_COMMANDS = {
    "": "",
    "KERNEL": "",
    **{word: f".{word.lower()} " for word in ("LINUX", *KEYWORD_KINDS)},
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One file's two results, and where to count how they compare."""

    file: str
    ours: BootMenu
    theirs: OracleFile
    tally: Tally

    def run(self) -> None:
        """Compare everything there is."""
        dropped = empty_menus_of_missing_files(self.theirs, self.ours)
        for _ in dropped:
            self.tally.explained("menu", "a missing file opens no menu (6 #11)")
        menus = tuple(menu for number, menu in enumerate(self.theirs.menus) if number not in dropped)
        self._field("menus", str(len(self.ours.menus)), str(len(menus)))
        if len(menus) != len(self.ours.menus):
            return
        self._field("start", _tag(self.ours, self.ours.start), self.theirs.start or "")
        self._field("total timeout", _ticks(self.ours.total_timeout_ds), str(self.theirs.total_timeout_ticks))
        self._field("editing locked", str(self._locks("edits")), str(not all(menu.editable for menu in menus)))
        self._field("master password", str(self._locks("master")), str(any(menu.master for menu in menus)))
        for number, (menu, theirs) in enumerate(zip(self.ours.menus, menus, strict=True)):
            self._field("tag", _tag(self.ours, number), theirs.tag or "")
            self._field("title", menu.title or "", theirs.title)
            self._field("timeout", _ticks(menu.timeout_ds), str(theirs.timeout_ticks))
            self._field("on timeout", menu.on_timeout or "", theirs.on_timeout or "", menu)
            rows = tuple(row for number, row in enumerate(theirs.rows) if not self._dropped_row(row, dropped))
            self._rows(menu, rows)
            self._default(number, menu, rows, theirs.default)
        hidden = [entry for entry in self.ours.entries if entry.hidden]
        self._field("hidden rows", str(len(hidden)), str(len(self.theirs.hidden)))
        if len(hidden) == len(self.theirs.hidden):
            for entry, row in zip(hidden, self.theirs.hidden, strict=True):
                self._entry(self.ours.menus[0], entry, row, frozenset())

    def _dropped_row(self, row: OracleEntry, dropped: frozenset[int]) -> bool:
        """Whether the row stands for a menu that was left out: those carry the tag as their text."""
        return row.action is Action.SUBMENU and row.display in {self.theirs.menus[number].tag for number in dropped}

    def _rows(self, menu: Menu, rows: tuple[OracleEntry, ...]) -> None:
        shown = self._shown(menu)
        self._field("rows", str(len(shown)), str(len(rows)))
        if len(shown) != len(rows):
            return
        for number, (row, theirs) in enumerate(zip(shown, rows, strict=True)):
            before = row_keys(rows[:number])
            if row.entry is not None:
                self._entry(menu, self.ours.entries[row.entry], theirs, before)
            elif row.menu is not None:
                submenu = self.ours.menus[row.menu]
                self._field("submenu action", Action.SUBMENU.name, theirs.action.name)
                # Without MENU LABEL and MENU TITLE syslinux shows the tag.
                display = submenu.label if submenu.label is not None else submenu.tag or ""
                self._field("submenu display", display, theirs.display or "")
                self._field("submenu hotkey", folded(submenu.hotkey), _key(theirs), menu, None, before)
                self._field("submenu password", str(submenu.locked), str(theirs.password))
            else:
                self._field("separator", "DISABLED ''", f"{theirs.action.name} {theirs.display or ''!r}")

    def _shown(self, menu: Menu) -> tuple[Row, ...]:
        """The rows of our menu without hidden entries, which syslinux keeps in a menu of their own."""
        return tuple(row for row in menu.rows if row.entry is None or not self.ours.entries[row.entry].hidden)

    def _entry(self, menu: Menu, entry: BootEntry, theirs: OracleEntry, before: frozenset[str]) -> None:
        self._field("action", self._action(entry).name, theirs.action.name)
        self._field("label", entry.label, theirs.label or "", menu, entry)
        self._field("display", " " * entry.indent + entry.title, theirs.display or "", menu, entry)
        self._field("hotkey", folded(entry.hotkey), _key(theirs), menu, entry, before)
        self._field("help", "".join(f"{line}\n" for line in entry.help), theirs.help or "", menu, entry)
        self._field("password", str(entry.locked and not entry.disabled), str(theirs.password), menu, entry)
        if theirs.action is Action.COMMAND:
            self._command_line(menu, entry, theirs.cmdline or "")

    def _command_line(self, menu: Menu, entry: BootEntry, theirs: str) -> None:
        """As syslinux builds it: kernel, APPEND, and what INITRD gave as `initrd=` at the end."""
        own = _COMMANDS[entry.kernel_keyword] + (entry.kernel or "") + (f" {entry.append}" if entry.append else "")
        with_initrd = f"{own} initrd={entry.initrd}"
        has_initrd = entry.initrd is not None and theirs.rstrip().endswith(f" initrd={entry.initrd}")
        words = (entry.append or "").split()
        from_append = f"initrd={entry.initrd}" in words and theirs.rstrip() != with_initrd.rstrip()
        self._field("command line", with_initrd if has_initrd and not from_append else own, theirs, menu, entry)

    def _action(self, entry: BootEntry) -> Action:
        if entry.disabled:
            return Action.DISABLED
        if entry.kind is not Kind.NAVIGATION:
            return Action.COMMAND
        tags = {".top", *(menu.tag for menu in self.ours.menus)}
        if entry.kernel_keyword == "MENU QUIT":
            return Action.QUIT
        if entry.kernel is not None and entry.kernel not in tags:
            return Action.DISABLED
        return Action.GOTO if entry.kernel_keyword == "MENU GOTO" else Action.EXIT

    def _default(self, number: int, menu: Menu, rows: tuple[OracleEntry, ...], theirs: int) -> None:
        wanted = self.ours.default if number == 0 else menu.default
        at = [place for place, row in enumerate(self._shown(menu)) if wanted is not None and row.entry == wanted]
        if len(self._shown(menu)) == len(rows):
            self._field("default", str(at[0] if at else 0), str(theirs), menu)

    def _locks(self, word: str) -> bool:
        return any(word in lock for lock in self.ours.locks)

    def _field(
        self,
        name: str,
        ours: str,
        theirs: str,
        menu: Menu | None = None,
        entry: BootEntry | None = None,
        before: frozenset[str] = frozenset(),
    ) -> None:
        if ours == theirs:
            self.tally.same(name)
            return
        place = Place(ours, self.ours, self.theirs, menu, entry, before)
        reasons = explain(RULES.get(name, ()), theirs, place)
        if reasons:
            self.tally.explained(name, *reasons)
        else:
            self.tally.differs(self.file, name, ours, theirs)


def _tag(whole: BootMenu, number: int) -> str:
    return ".top" if number == 0 else whole.menus[number].tag or ""


def _ticks(tenths: int | None) -> str:
    return str((tenths or 0) * TICKS_PER_TENTH)


def _key(row: OracleEntry) -> str:
    return chr(row.hotkey) if row.hotkey else ""
