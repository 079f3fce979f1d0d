"""From a document to what it means: scope, which value wins, menus, includes.

Pure: other files come through `read_include`. Structure and scope are syslinux's (com32/menu/readconfig.c),
device-tree keywords U-Boot's (boot/pxe_utils.c), error behaviour neither's: nothing raises, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chainboot.errors import Diagnostic, Severity, SourcePosition
from chainboot.extlinux.default import choose_default
from chainboot.extlinux.entry import BootEntry
from chainboot.extlinux.findings import Findings
from chainboot.extlinux.included import IncludedFiles
from chainboot.extlinux.label import LABEL_DIRECTIVES, TEXT_LIMIT, Label, locked_by, size
from chainboot.extlinux.menu import LOOK, BootMenu
from chainboot.extlinux.parser import LINE_LIMIT, SIZE_LIMIT, Directive, Document, Junk, TextBlock, integer
from chainboot.extlinux.tree import MENU_DEPTH, MenuTree
from chainboot.text import first_word

# syslinux `doc/syslinux.txt`: "INCLUDE can be nested up to 16 levels deep". That alone bounds nothing: 16 files that
# each include the next one twice are 65,536. So all files together may have LINE_LIMIT lines, as one may.
INCLUDE_DEPTH = 16
INCLUDE_FILES = 200

ENTRY_LIMIT = 50_000

ReadInclude = Callable[[str], Document | None]
"""Takes the file name an INCLUDE gives and returns the parsed file, or None where there is none."""


def resolve(
    document: Document, read_include: ReadInclude = lambda _name: None, *, accumulate_initrds: bool = False
) -> BootMenu:
    """The menu that `document` describes. See `ReadInclude` for how other files are reached.

    With `accumulate_initrds` several INITRD lines of a label add up, as in GRUB; else the last one counts.
    """
    evaluation = _Evaluation(document, read_include, accumulate_initrds)
    evaluation.read(document)
    return evaluation.finish()


class _Evaluation:
    """The state of reading one configuration from top to bottom: globals, open menus, the open label."""

    def __init__(self, main: Document, read_include: ReadInclude, accumulate_initrds: bool) -> None:
        self.main = main
        self.files = IncludedFiles(read_include, INCLUDE_FILES)
        self.accumulate_initrds = accumulate_initrds
        self.result = BootMenu(main.name)
        self.entries: list[BootEntry] = []
        self.tree = MenuTree()
        self.label: Label | None = None
        self.append: str | None = None
        self.sysappend = 0
        self.default_at: Directive | None = None
        self.locks: list[str] = []
        self.including: list[str] = [main.name]
        self.text_left = TEXT_LIMIT
        self.findings = Findings()

    def read(self, document: Document) -> None:
        """Take in the nodes of a document. An INCLUDE reads "as if the files had been concatenated"."""
        self.findings.enter(document)
        for node in document.nodes:
            if isinstance(node, Directive):
                meaning = _MEANING.get(node.keyword)
                if meaning is not None:
                    meaning(self, node)
                elif self.label is not None:
                    self.label.keep(node)
            elif isinstance(node, TextBlock):
                self._help(node)
            elif isinstance(node, Junk) and self.label is not None:
                self.label.unknown.append(node.text)

    def _help(self, node: TextBlock) -> None:
        if node.kind != "TEXT HELP":
            return
        if self.label is not None:
            self.label.help += node.lines
        elif self.tree.current:
            self.tree.add_help(node.lines)

    # other files

    def include(self, node: Directive) -> None:
        """INCLUDE and MENU INCLUDE: "file [tag]"; with a tag the file is bracketed as a submenu."""
        name, _, tag = (node.value or "").replace("\t", " ").partition(" ")
        tag = tag.strip()
        if not name:
            self.warn("include-without-file", f"{node.keyword} names no file", node)
        elif len(self.including) > INCLUDE_DEPTH:
            self.warn("include-depth", f"{name} is nested deeper than {INCLUDE_DEPTH} files and was left out", node)
        elif (included := self.files.find(name)) is None and self.files.full:
            self.warn("include-limit", f"{name} was left out: the included files are too many or too large", node)
        elif included is None:
            self.warn("include-missing", f"{name} could not be read; the rest of the configuration stands", node)
        elif included.name in self.including:
            loop = " -> ".join([*self.including[self.including.index(included.name) :], included.name])
            self.warn("include-loop", f"{name} was left out, because it includes itself: {loop}", node)
        elif not self.files.admits(name):
            message = (
                f"{name} was left out: with it there would be more than {LINE_LIMIT} lines or {SIZE_LIMIT} characters"
            )
            self.warn("include-limit", message, node)
        else:
            self._read_included(included, replace(node, value=tag) if tag else None)

    def _read_included(self, document: Document, begin: Directive | None) -> None:
        self.including.append(document.name)
        opened = begin is not None and self.menu_begin(begin)
        submenu = self.tree.current
        self.read(document)
        if opened:  # the tag brackets the file: what it left open ends with it
            self.close_label()
            self.tree.leave(submenu)
        self.including.pop()

    # menus

    def menu_begin(self, node: Directive) -> bool:
        """MENU BEGIN [tag]: closes the label, and everything up to MENU END is in a menu of its own."""
        self.close_label()
        if self.tree.begin(node.value):
            return True
        message = f"there are too many menus, or more than {MENU_DEPTH} inside each other: this one is not opened"
        self.warn("menu-depth", message, node)
        return False

    def menu_end(self, _node: Directive) -> None:
        self.close_label()
        self.tree.end()

    def menu_separator(self, _node: Directive) -> None:
        """An empty row, which closes the label: APPEND after it is global again."""
        self.close_label()
        self.tree.separate()

    def menu_title(self, node: Directive) -> None:
        self.look(node)
        self.tree.set_title(node.value)

    def menu_label(self, node: Directive) -> None:
        """MENU LABEL of the open label, or right after MENU BEGIN of the submenu."""
        if self.label is not None:
            self.label.set_title(node)
        else:
            self.tree.set_label(node.value or "")

    def menu_default(self, _node: Directive) -> None:
        """MENU DEFAULT of the open label; the last one of a menu counts."""
        self.result = replace(self.result, menu_requested=True)
        if self.label is not None:
            self.tree.menu = replace(self.tree.menu, default=len(self.entries))

    def menu_start(self, _node: Directive) -> None:
        """MENU START: the menu that is shown first."""
        self.result = replace(self.result, start=self.tree.current)

    def lock(self, node: Directive) -> None:
        """Passwords and locks. The password is never kept, so that nothing can show it."""
        what = locked_by(node, in_label=self.label is not None)
        if what is None:
            return
        if node.keyword == "MENU PASSWD" and self.label is not None:
            self.label.locked = True
        elif node.keyword == "MENU PASSWD":
            self.tree.menu = replace(self.tree.menu, locked=True)
        self.locks.append(f"the configuration asks for {what}")
        # Without the source line: it may hold a password.
        message = f"{node.keyword} asks for {what}, which only syslinux enforces"
        hint = "who can reach this menu can boot and edit everything; restrict who can reach it"
        self.findings.add(Diagnostic(Severity.WARNING, "not-enforced", message, node.position, None, hint))

    # labels

    def open_label(self, node: Directive) -> None:
        """LABEL: the whole rest of the line is its name."""
        self.close_label()
        if len(self.entries) >= ENTRY_LIMIT or self.text_left < 0:
            left_out = f"entry {len(self.entries) + 1} is one too many: it and all that follow were left out"
            self.warn("entry-limit", left_out, node)
            return
        if node.value is None:
            self.warn("label-without-name", "LABEL has no name", node, "write a name after LABEL")
        self.label = Label(node, self.sysappend)

    def close_label(self) -> None:
        """End the open label: it becomes an entry, with the global APPEND where it has none of its own."""
        if self.label is None:
            return
        self.tree.add_entry()
        self.entries.append(self.label.finish(self.append))
        self.text_left -= size(self.entries[-1])
        self.label = None

    def in_label(self, node: Directive) -> None:
        """A directive that only means something in a label."""
        if self.label is None:
            self.warn("outside-label", f"{node.keyword} stands outside of every LABEL and was left out", node)
            return
        if node.keyword == "INITRD" and self.label.initrds:
            if self.accumulate_initrds:
                self.label.add_initrd(node)
                return
            hint = "write them into one line, separated by commas: INITRD first,second"
            message = f"INITRD again: {node.value or 'nothing'} replaces {self.label.initrds[-1]}"
            self.warn("several-initrds", message, node, hint)
        LABEL_DIRECTIVES[node.keyword](self.label, node)

    def set_append(self, node: Directive) -> None:
        """APPEND: of the label, or global for labels that are still to be closed."""
        if self.label is None:
            self.append = node.value or ""
        else:
            self.label.append = node.value or ""

    def set_sysappend(self, node: Directive) -> None:
        """SYSAPPEND and IPAPPEND: a mask, of the label or global for the labels after it."""
        number = self.number(node, base=0)
        if number is None:
            return
        if self.label is None:
            self.sysappend = number
        else:
            self.label.sysappend = number

    # the whole configuration

    def set_default(self, node: Directive) -> None:
        """DEFAULT label [arguments]. DEFAULT vesamenu.c32 starts a menu and names no entry."""
        if node.value and first_word(node.value).lower().endswith(".c32"):
            self.result = replace(self.result, menu_requested=True)
            return
        self.default_at = node if node.value else None
        self.result = replace(self.result, default_value=node.value)

    def set_timeout(self, node: Directive) -> None:
        if (number := self.number(node)) is not None:
            self.tree.menu = replace(self.tree.menu, timeout_ds=number)

    def set_total_timeout(self, node: Directive) -> None:
        if (number := self.number(node)) is not None:
            self.result = replace(self.result, total_timeout_ds=number)

    def set_on_timeout(self, node: Directive) -> None:
        self.tree.menu = replace(self.tree.menu, on_timeout=node.value)

    def set_fallback(self, node: Directive) -> None:
        self.result = replace(self.result, fallback=node.value)

    def set_prompt(self, node: Directive) -> None:
        prompt = bool(self.number(node))
        self.result = replace(self.result, prompt=prompt, menu_requested=self.result.menu_requested or prompt)

    def set_ui(self, node: Directive) -> None:
        self.result = replace(self.result, ui=node.value, menu_requested=True)

    def look(self, _node: Directive) -> None:
        """A MENU directive that only says how a menu looks: it is left as it is."""
        if not self.tree.current:
            self.result = replace(self.result, menu_requested=True)

    def number(self, node: Directive, *, base: int = 10) -> int | None:
        """The integer a directive gives; its tail is ignored (`TIMEOUT 50 # five` is 50, as in syslinux)."""
        number = integer(node.value, base=base)
        if number is None:
            self.warn("not-a-number", f"{node.keyword} wants a number and was left out", node)
        return number

    # findings, and the end

    def warn(self, code: str, message: str, node: Directive, hint: str | None = None) -> None:
        self.findings.warn(code, message, node.position, hint)

    def finish(self) -> BootMenu:
        """The finished menu. DEFAULT is looked up last, so that its place in the file does not matter."""
        self.close_label()
        entries, menus = self.tree.finish(self.entries)
        self._warn_of_duplicates()
        chosen = choose_default(entries, self.result.default_value, menus[0].default)
        if chosen.surprise and self.default_at is not None:
            hint = "U-Boot boots the first entry here, syslinux tries the name as a file"
            self.warn("default-not-found", chosen.surprise, self.default_at, hint)
        return replace(
            self.result,
            entries=entries,
            menus=menus,
            default=chosen.index,
            default_arguments=chosen.arguments,
            locks=tuple(dict.fromkeys(self.locks)),
            diagnostics=tuple(self.findings.diagnostics),
        )

    def _warn_of_duplicates(self) -> None:
        first: dict[str, SourcePosition] = {}
        for entry in self.entries:
            if entry.label in first:
                message = f"label {entry.label} is used again; by name it means the one at {first[entry.label]}"
                hint = "U-Boot takes the last one: give every entry a label of its own"
                self.findings.warn("duplicate-label", message, entry.position, hint)
            else:
                first[entry.label] = entry.position


_MEANING: dict[str, Callable[[_Evaluation, Directive], object]] = {
    "LABEL": _Evaluation.open_label,
    **dict.fromkeys(LABEL_DIRECTIVES, _Evaluation.in_label),
    "APPEND": _Evaluation.set_append,
    "SYSAPPEND": _Evaluation.set_sysappend,
    "IPAPPEND": _Evaluation.set_sysappend,
    "INCLUDE": _Evaluation.include,
    "MENU INCLUDE": _Evaluation.include,
    "DEFAULT": _Evaluation.set_default,
    "ONTIMEOUT": _Evaluation.set_on_timeout,
    "FALLBACK": _Evaluation.set_fallback,
    "TIMEOUT": _Evaluation.set_timeout,
    "TOTALTIMEOUT": _Evaluation.set_total_timeout,
    "PROMPT": _Evaluation.set_prompt,
    "ALLOWOPTIONS": _Evaluation.lock,
    "NOESCAPE": _Evaluation.lock,
    "MENU PASSWD": _Evaluation.lock,
    "MENU MASTER": _Evaluation.lock,
    "UI": _Evaluation.set_ui,
    "MENU TITLE": _Evaluation.menu_title,
    "MENU LABEL": _Evaluation.menu_label,
    "MENU DEFAULT": _Evaluation.menu_default,
    "MENU START": _Evaluation.menu_start,
    "MENU BEGIN": _Evaluation.menu_begin,
    "MENU END": _Evaluation.menu_end,
    "MENU SEPARATOR": _Evaluation.menu_separator,
    **{f"MENU {word}": _Evaluation.look for word in LOOK},
}
