"""What a configuration means: entries, default, timeout.

Pure: other files come through `read_include`. Structure and scope are syslinux's (com32/menu/readconfig.c),
device-tree keywords U-Boot's (boot/pxe_utils.c), error behaviour neither's: nothing raises, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chainboot.errors import Diagnostic, Severity, SourcePosition
from chainboot.extlinux.default import choose_default
from chainboot.extlinux.entry import KEYWORD_KINDS, BootEntry, Kind, kind_of
from chainboot.extlinux.parser import Directive, Document, Junk, TextBlock

# syslinux `doc/syslinux.txt`: "INCLUDE can be nested up to 16 levels deep".
INCLUDE_DEPTH = 16

ReadInclude = Callable[[str], Document | None]
"""Takes the file name an INCLUDE gives and returns the parsed file, or None where there is none."""


@dataclass(frozen=True, slots=True)
class BootMenu:
    """A whole configuration. Times are in tenths of a second, as written.

    `timeout_ds`: 0 waits for ever, a negative number boots at once (NixOS 24.05 writes -10 for
    `boot.loader.timeout = 0`), None where the file does not say. `default` indexes `entries`, from 0;
    `default_arguments` are words after the label in DEFAULT, which go to the end of the command line.
    """

    file: str
    entries: tuple[BootEntry, ...] = ()
    default: int | None = None
    default_arguments: str = ""
    default_value: str | None = None
    title: str | None = None
    timeout_ds: int | None = None
    total_timeout_ds: int | None = None
    on_timeout: str | None = None
    fallback: str | None = None
    prompt: bool = False
    menu_requested: bool = False
    ui: str | None = None
    locked: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()


def resolve(document: Document, read_include: ReadInclude = lambda _name: None) -> BootMenu:
    """The menu that `document` describes. See `ReadInclude` for how other files are reached."""
    evaluation = _Evaluation(document, read_include)
    evaluation.read(document, depth=0)
    evaluation.close_label()
    return evaluation.menu()


@dataclass
class _Evaluation:
    """The state of reading one configuration from top to bottom: globals, open menus, the open label."""

    main: Document
    read_include: ReadInclude
    label: BootEntry | None = None
    entries: list[BootEntry] = field(default_factory=list)
    settings: BootMenu = field(init=False)
    menus: list[str] = field(default_factory=list)
    append: str | None = None
    label_append: str | None = None
    menu_default: int | None = None
    default_at: Directive | None = None
    including: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = BootMenu(self.main.name)

    def read(self, document: Document, depth: int) -> None:
        """Take in the nodes of a document. An INCLUDE reads "as if the files had been concatenated"."""
        self.documents[document.name] = document
        self.diagnostics += document.diagnostics
        for node in document.nodes:
            if isinstance(node, Directive):
                if node.keyword in ("INCLUDE", "MENU INCLUDE"):
                    self._include(node, depth)
                else:
                    _MEANING.get(node.keyword, _Evaluation.unknown)(self, node)
            elif isinstance(node, TextBlock):
                if self.label is not None and node.kind == "TEXT HELP":
                    self.label = replace(self.label, help=(*self.label.help, *node.lines))
            elif isinstance(node, Junk) and self.label is not None:
                self.label = replace(self.label, unknown=(*self.label.unknown, node.text))

    def _include(self, node: Directive, depth: int) -> None:
        # "the first word is the file name": a second one is a menu tag.
        name = node.value.split(maxsplit=1)[0] if node.value else ""
        if not name:
            self.warn("include-without-file", f"{node.keyword} names no file", node)
        elif name in self.including:
            self.warn("include-loop", f"{name} includes itself, by way of {' -> '.join(self.including)}", node)
        elif depth >= INCLUDE_DEPTH:
            self.warn("include-depth", f"{name} is nested deeper than {INCLUDE_DEPTH} files and was left out", node)
        elif (included := self.read_include(name)) is None:
            self.warn("include-missing", f"{name} could not be read; the rest of the configuration stands", node)
        else:
            self.including.append(name)
            self.read(included, depth + 1)
            self.including.pop()

    # what closes and opens labels

    def open_label(self, node: Directive) -> None:
        self.close_label()
        if node.value is None:
            self.warn("label-without-name", "LABEL has no name", node, "write a name after LABEL")
        name = node.value or ""
        self.label = BootEntry(name, name, node.position, menu_path=tuple(self.menus))

    def close_label(self, _node: Directive | None = None) -> None:
        """End the open label: it becomes an entry, with the global APPEND where it has none of its own."""
        if self.label is None:
            return
        append = self.label_append if self.label_append is not None else self.append
        # "APPEND -: append nothing" hides the global one; blanks around it are the parser's.
        entry = replace(self.label, append="" if append == "-" else append)
        if entry.initrd is None:
            entry = replace(entry, initrd=_initrd_of(entry.append))
        self.entries.append(entry)
        self.label = self.label_append = None

    def menu_begin(self, node: Directive) -> None:
        self.close_label()
        self.menus.append(node.value or "")

    def menu_end(self, _node: Directive) -> None:
        self.close_label()
        if self.menus:  # syslinux: MENU END without BEGIN is harmless
            self.menus.pop()

    # inside a label

    def set_kernel(self, node: Directive) -> None:
        if self.label is None:
            self.warn("outside-label", f"{node.keyword} stands before any LABEL and was left out", node)
            return
        kind = Kind.NONE if node.value is None else kind_of(node.keyword, node.value)
        self.label = replace(self.label, kind=kind, kernel_keyword=node.keyword, kernel=node.value)

    def set_append(self, node: Directive) -> None:
        if self.label is None:
            self.append = node.value or ""
        else:
            self.label_append = node.value or ""

    def set_initrd(self, node: Directive) -> None:
        if self.label is None:
            self.warn("outside-label", "INITRD stands before any LABEL and was left out", node)
            return
        if self.label.initrd is not None:
            hint = "write them into one line, separated by commas: INITRD first,second"
            self.warn("several-initrds", f"INITRD again: {node.value or ''} replaces {self.label.initrd}", node, hint)
        self.label = replace(self.label, initrd=node.value)

    def set_fdt(self, node: Directive) -> None:
        if self.label is not None:
            self.label = replace(self.label, fdt=node.value)

    def set_fdtdir(self, node: Directive) -> None:
        if self.label is not None:
            self.label = replace(self.label, fdtdir=node.value)

    def set_fdtoverlays(self, node: Directive) -> None:
        if self.label is not None:
            self.label = replace(self.label, fdtoverlays=tuple((node.value or "").split()))

    def menu_label(self, node: Directive) -> None:
        text = node.value or ""
        if self.label is None:
            if self.menus:  # right after MENU BEGIN it names the submenu
                self.menus[-1] = text.replace("^", "")
            return
        # "^ marks the hot key": every ^ is a marker and not shown, the first one counts.
        _, caret, after = text.partition("^")
        hotkey = after[0].lower() if caret and after else None
        self.label = replace(self.label, title=text.replace("^", ""), hotkey=hotkey)

    def menu_indent(self, node: Directive) -> None:
        if self.label is not None:
            self.label = replace(self.label, indent=min(max(_integer(node.value) or 0, 0), 40))

    def menu_hide(self, _node: Directive) -> None:
        if self.label is not None:
            self.label = replace(self.label, hidden=True)

    def menu_disable(self, _node: Directive) -> None:
        if self.label is not None:
            self.label = replace(self.label, disabled=True)

    def set_menu_default(self, _node: Directive) -> None:
        self.settings = replace(self.settings, menu_requested=True)
        if self.label is not None and not self.menus:
            self.menu_default = len(self.entries)

    # the whole configuration

    def set_default(self, node: Directive) -> None:
        if node.value and node.value.split(maxsplit=1)[0].lower().endswith(".c32"):
            self.settings = replace(self.settings, menu_requested=True)  # DEFAULT vesamenu.c32 starts a menu
            return
        self.default_at = node if node.value else None
        self.settings = replace(self.settings, default_value=node.value)

    def set_timeout(self, node: Directive) -> None:
        if (number := self.number(node)) is not None:
            self.settings = replace(self.settings, timeout_ds=number)

    def set_total_timeout(self, node: Directive) -> None:
        if (number := self.number(node)) is not None:
            self.settings = replace(self.settings, total_timeout_ds=number)

    def set_on_timeout(self, node: Directive) -> None:
        self.settings = replace(self.settings, on_timeout=node.value)

    def set_fallback(self, node: Directive) -> None:
        self.settings = replace(self.settings, fallback=node.value)

    def set_prompt(self, node: Directive) -> None:
        prompt = bool(self.number(node))
        self.settings = replace(self.settings, prompt=prompt, menu_requested=self.settings.menu_requested or prompt)

    def set_allow_options(self, node: Directive) -> None:
        self.settings = replace(self.settings, locked=self.number(node) == 0)

    def set_ui(self, node: Directive) -> None:
        self.settings = replace(self.settings, ui=node.value, menu_requested=True)

    def set_title(self, node: Directive) -> None:
        self.settings = replace(self.settings, menu_requested=True)
        if not self.menus:
            self.settings = replace(self.settings, title=node.value)

    def unknown(self, node: Directive) -> None:
        """Keep what has no meaning here with its label, so that `show` can tell."""
        if self.label is not None:
            text = f"{node.keyword} {node.value}" if node.value else node.keyword
            self.label = replace(self.label, unknown=(*self.label.unknown, text))

    def number(self, node: Directive) -> int | None:
        """The integer a directive gives; its tail is ignored (`TIMEOUT 50 # five` is 50, as in syslinux)."""
        number = _integer(node.value)
        if number is None:
            self.warn("not-a-number", f"{node.keyword} wants a number and was left out", node)
        return number

    def warn(self, code: str, message: str, node: Directive, hint: str | None = None) -> None:
        document = self.documents[node.position.file]
        self.diagnostics.append(document.diagnostic(Severity.WARNING, code, message, node.position, hint))

    # at the end

    def menu(self) -> BootMenu:
        """The finished menu. DEFAULT is looked up last, so that its place in the file does not matter."""
        self._warn_of_duplicates()
        chosen = choose_default(self.entries, self.settings.default_value, self.menu_default)
        if chosen.surprise and self.default_at is not None:
            hint = "U-Boot boots the first entry here, syslinux tries the name as a file"
            self.warn("default-not-found", chosen.surprise, self.default_at, hint)
        return replace(
            self.settings,
            entries=tuple(self.entries),
            default=chosen.index,
            default_arguments=chosen.arguments,
            diagnostics=tuple(self.diagnostics),
        )

    def _warn_of_duplicates(self) -> None:
        first: dict[str, SourcePosition] = {}
        for entry in self.entries:
            if entry.label in first:
                message = f"label {entry.label} is used again; by name it means the one at {first[entry.label]}"
                hint = "U-Boot takes the last one: give every entry a label of its own"
                document = self.documents[entry.position.file]
                self.diagnostics.append(
                    document.diagnostic(Severity.WARNING, "duplicate-label", message, entry.position, hint)
                )
            else:
                first[entry.label] = entry.position


def _integer(value: str | None) -> int | None:
    """The leading integer of a value, as C's atoi reads it; None where there are no digits."""
    text = (value or "").strip()
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")[:9]  # more digits than any timeout has
    end = next((place for place, char in enumerate(digits) if not (char.isascii() and char.isdigit())), len(digits))
    return sign * int(digits[:end]) if end else None


def _initrd_of(append: str | None) -> str | None:
    """The last `initrd=` word of a command line, as syslinux documents it."""
    words = [word for word in (append or "").split() if word.startswith("initrd=")]
    return words[-1].removeprefix("initrd=") or None if words else None


_MEANING: dict[str, Callable[[_Evaluation, Directive], None]] = {
    "LABEL": _Evaluation.open_label,
    "LINUX": _Evaluation.set_kernel,
    "KERNEL": _Evaluation.set_kernel,
    **dict.fromkeys(KEYWORD_KINDS, _Evaluation.set_kernel),
    "APPEND": _Evaluation.set_append,
    "INITRD": _Evaluation.set_initrd,
    "FDT": _Evaluation.set_fdt,
    "DEVICETREE": _Evaluation.set_fdt,
    "FDTDIR": _Evaluation.set_fdtdir,
    "DEVICETREEDIR": _Evaluation.set_fdtdir,
    "FDTOVERLAYS": _Evaluation.set_fdtoverlays,
    "DEVICETREE-OVERLAY": _Evaluation.set_fdtoverlays,
    "DEFAULT": _Evaluation.set_default,
    "ONTIMEOUT": _Evaluation.set_on_timeout,
    "FALLBACK": _Evaluation.set_fallback,
    "TIMEOUT": _Evaluation.set_timeout,
    "TOTALTIMEOUT": _Evaluation.set_total_timeout,
    "PROMPT": _Evaluation.set_prompt,
    "ALLOWOPTIONS": _Evaluation.set_allow_options,
    "UI": _Evaluation.set_ui,
    "MENU TITLE": _Evaluation.set_title,
    "MENU LABEL": _Evaluation.menu_label,
    "MENU DEFAULT": _Evaluation.set_menu_default,
    "MENU INDENT": _Evaluation.menu_indent,
    "MENU HIDE": _Evaluation.menu_hide,
    "MENU DISABLE": _Evaluation.menu_disable,
    "MENU DISABLED": _Evaluation.menu_disable,
    "MENU BEGIN": _Evaluation.menu_begin,
    "MENU END": _Evaluation.menu_end,
    "MENU SEPARATOR": _Evaluation.close_label,
}
