"""Where we decide otherwise than syslinux on purpose: each rule as a function that turns its value into ours.

A difference counts as explained when syslinux' value, put through the rules of its field, is ours, letter for letter.
So an explanation cannot hide a difference that it is not the reason of. Numbers are those of the recommendations in
the description of the dialect (extlinux-dialect.md, sections 1 to 6).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from corpus_check.oracle import OracleEntry, OracleFile

from chainboot.extlinux.entry import BootEntry
from chainboot.extlinux.menu import BootMenu, Menu

BLANKS = " \t\v\f\r"


@dataclass(frozen=True, slots=True)
class Place:
    """What a difference is about: our whole menu, the menu of the row and our entry, and syslinux' whole result."""

    ours: str
    whole: BootMenu
    oracle: OracleFile
    menu: Menu | None = None
    entry: BootEntry | None = None
    keys_before: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rule: its name, the number of the decision, and what it makes of syslinux' value."""

    name: str
    rule: str
    rewrite: Callable[[str, Place], str]


def explain(rules: tuple[Explanation, ...], theirs: str, place: Place) -> tuple[str, ...] | None:
    """The rules that together turn `theirs` into ours, in order; None where they do not."""
    used: list[str] = []
    for rule in rules:
        if theirs == place.ours:
            break
        rewritten = rule.rewrite(theirs, place)
        if rewritten != theirs:
            used.append(f"{rule.name} ({rule.rule})")
            theirs = rewritten
    return tuple(used) if theirs == place.ours else None


def _without_marks(theirs: str, _place: Place) -> str:
    return theirs.replace("^", "")


def _without_trailing_blanks(theirs: str, _place: Place) -> str:
    return theirs.rstrip(BLANKS)


def _kept_label(theirs: str, place: Place) -> str:
    return place.entry.label if not theirs and place.entry and place.entry.disabled else theirs


def _every_hotkey(theirs: str, place: Place) -> str:
    """A key that an earlier row of the menu has is a hint of the later one too; the menu gives it to the first."""
    return place.ours if not theirs and place.ours in place.keys_before else theirs


def _without_carriage_returns(theirs: str, _place: Place) -> str:
    return theirs.replace("\r\n", "\n")


def _without_label_as_kernel(theirs: str, place: Place) -> str:
    """syslinux boots a file named like the label where there is no kernel; the blanks after the label belong to it."""
    entry = place.entry
    if entry is None or entry.kernel is not None or not theirs.startswith(entry.label):
        return theirs
    rest = theirs[len(entry.label) :]
    return rest.lstrip(BLANKS) and " " + rest.lstrip(BLANKS)


def _with_single_blanks(theirs: str, place: Place) -> str:
    """The blanks at the end of KERNEL, APPEND and INITRD stand inside syslinux' command line, where it joins them."""
    entry = place.entry
    if entry is None:
        return theirs
    prefix = place.ours[: place.ours.index(entry.kernel)] if entry.kernel else ""
    values = [value for value in (entry.kernel, entry.append) if value]
    initrd = place.ours.removeprefix(prefix + " ".join(values)).lstrip(" ")
    pattern = "[ \\t]+".join(re.escape(value) for value in (*values, initrd) if value)
    found = re.fullmatch(rf"{re.escape(prefix)}{pattern}[ \t]*", theirs)
    return place.ours if found else theirs


def _label_of_a_command(theirs: str, place: Place) -> str:
    """syslinux keeps the command of the label that ONTIMEOUT names; we keep the name and look it up when it fires."""
    word, blank, arguments = place.ours.partition(" ")
    rows = [row for menu in place.oracle.menus for row in menu.rows] + list(place.oracle.hidden)
    commands = {f"{row.cmdline}{blank}{arguments}" for row in rows if row.label == word}
    return place.ours if theirs in commands else theirs


def _default_without_ui(theirs: str, place: Place) -> str:
    """To syslinux' menu DEFAULT names an entry only where there is a UI line; to its core, U-Boot and us always."""
    whole = place.whole
    if whole.default is None or whole.default_value is None or whole.ui is not None:
        return theirs
    named = whole.entries[whole.default].label in (whole.default_value, whole.default_value.split()[0])
    return place.ours if named and theirs == "0" else theirs


def _first_bootable(theirs: str, place: Place) -> str:
    """Where nothing names a default, syslinux' cursor stands on row 0, and ours on the first entry that can boot."""
    whole, menu = place.whole, place.menu
    silent = menu is not None and menu.default is None and whole.default is not None
    if silent and theirs == "0" and whole.default is not None and not whole.entries[whole.default].reasons:
        before = whole.entries[: whole.default]
        return place.ours if all(entry.reasons for entry in before) else theirs
    return theirs


HOTKEY_MARKS = Explanation("every ^ is a mark and not shown", "6 #15", _without_marks)
TRAILING_BLANKS = Explanation("blanks at the end of a value are cut", "1 value", _without_trailing_blanks)

RULES: dict[str, tuple[Explanation, ...]] = {
    "display": (HOTKEY_MARKS, TRAILING_BLANKS),
    "submenu display": (HOTKEY_MARKS, TRAILING_BLANKS),
    "label": (
        TRAILING_BLANKS,
        Explanation("MENU DISABLE keeps the label, to be shown", "3 MENU DISABLE", _kept_label),
    ),
    "hotkey": (Explanation("a hotkey is a hint of every entry that marks it", "6 #15", _every_hotkey),),
    "submenu hotkey": (Explanation("a hotkey is a hint of every entry that marks it", "6 #15", _every_hotkey),),
    "help": (Explanation("a line of help ends before its CR", "1 line end", _without_carriage_returns),),
    "command line": (
        Explanation("an entry without kernel has none", "6 #12", _without_label_as_kernel),
        Explanation("blanks at the end of a value are cut", "1 value", _with_single_blanks),
    ),
    "on timeout": (
        TRAILING_BLANKS,
        Explanation("ONTIMEOUT is kept as the name it gives", "6 #21", _label_of_a_command),
    ),
    "default": (
        Explanation("DEFAULT counts without a UI line", "6 #2", _default_without_ui),
        Explanation("the first entry that can boot is the default", "6 #2", _first_bootable),
    ),
}


def empty_menus_of_missing_files(oracle: OracleFile, whole: BootMenu) -> frozenset[int]:
    """The menus that syslinux opens for `INCLUDE file tag` although the file is not there (rule: 6 #11).

    They are empty, and we say that the file is missing instead. Found by their tags, so that none else is left out.
    """
    tags = [
        (finding.source_line or "").split(None, 3 if (finding.source_line or "").lower().split()[:1] == ["menu"] else 2)
        for finding in whole.diagnostics
        if finding.code == "include-missing"
    ]
    named = {words[-1].rstrip(BLANKS) for words in tags}
    return frozenset(
        number
        for number, menu in enumerate(oracle.menus)
        if number and not menu.rows and menu.tag is not None and menu.tag.rstrip(BLANKS) in named
    )


def folded(key: str | None) -> str:
    """A hotkey as syslinux keeps it: the code with bit 0x20 cleared, so that case does not count (`1` becomes 0x11)."""
    return "" if key is None else chr(ord(key.upper()[0]) & ~0x20)


def row_keys(rows: tuple[OracleEntry, ...]) -> frozenset[str]:
    """The hotkeys that rows of syslinux have."""
    return frozenset(chr(row.hotkey) for row in rows if row.hotkey)
