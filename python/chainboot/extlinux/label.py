"""A label while it is read: directives gather in it until something closes it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from chainboot.extlinux.entry import KEYWORD_KINDS, BootEntry, Kind, environment_names, kind_of, split_hotkey
from chainboot.extlinux.parser import Directive, integer

_LARGEST_INDENT = 40

# Characters in all entries together: a global APPEND of 1 MiB is one string here, but one for each entry in a listing.
TEXT_LIMIT = 32 * 1024 * 1024


class Label:
    """The open label. Within it the last of several directives of one kind counts, as in syslinux."""

    def __init__(self, node: Directive, sysappend: int) -> None:
        self.name = node.value or ""
        self.position = node.position
        self.title = self.name
        self.hotkey: str | None = None
        self.kind = Kind.NONE
        self.kernel_keyword = ""
        self.kernel: str | None = None
        self.initrds: list[str] = []
        self.append: str | None = None
        self.sysappend = sysappend
        self.fdt: str | None = None
        self.fdtdir: str | None = None
        self.fdtoverlays: tuple[str, ...] = ()
        self.help: list[str] = []
        self.indent = 0
        self.hidden = self.disabled = self.locked = False
        self.unknown: list[str] = []

    def set_kernel(self, node: Directive) -> None:
        """LINUX, KERNEL and everything else that fills the slot of what the label starts."""
        self.kind = kind_of(node.keyword, node.value)
        self.kernel_keyword, self.kernel = node.keyword, node.value

    def set_initrd(self, node: Directive) -> None:
        self.initrds = [node.value] if node.value else []

    def add_initrd(self, node: Directive) -> None:
        """INITRD again, where that adds to what is there."""
        if node.value:
            self.initrds.append(node.value)

    def set_fdt(self, node: Directive) -> None:
        self.fdt = node.value

    def set_fdtdir(self, node: Directive) -> None:
        self.fdtdir = node.value

    def set_fdtoverlays(self, node: Directive) -> None:
        self.fdtoverlays = tuple((node.value or "").split())

    def set_title(self, node: Directive) -> None:
        self.hotkey, self.title = split_hotkey(node.value or "")

    def set_indent(self, node: Directive) -> None:
        self.indent = min(max(integer(node.value) or 0, 0), _LARGEST_INDENT)

    def hide(self, _node: Directive) -> None:
        self.hidden = True

    def disable(self, _node: Directive) -> None:
        self.disabled = True

    def keep(self, node: Directive) -> None:
        """Keep what has no meaning here with its label, so that `show` can tell."""
        self.unknown.append(f"{node.keyword} {node.value}" if node.value else node.keyword)

    def finish(self, global_append: str | None) -> BootEntry:
        """The entry. A label's APPEND replaces the global one; `APPEND -` is "append nothing"."""
        append = self.append if self.append is not None else global_append
        append = "" if append == "-" else append
        initrd = ",".join(self.initrds) if self.initrds else _initrd_of(append)
        texts = (self.kernel, initrd, append, self.fdt, self.fdtdir, *self.fdtoverlays)
        return BootEntry(
            label=self.name,
            title=self.title,
            position=self.position,
            kind=self.kind,
            kernel_keyword=self.kernel_keyword,
            kernel=self.kernel,
            initrd=initrd,
            append=append,
            sysappend=self.sysappend,
            fdt=self.fdt,
            fdtdir=self.fdtdir,
            fdtoverlays=self.fdtoverlays,
            hotkey=self.hotkey,
            help=tuple(self.help),
            indent=self.indent,
            hidden=self.hidden,
            disabled=self.disabled,
            locked=self.locked,
            needs_env=environment_names(texts),
            unknown=tuple(self.unknown),
        )


def _initrd_of(append: str | None) -> str | None:
    """The last `initrd=` word of a command line, as syslinux documents it."""
    if append is None or "initrd=" not in append:
        return None
    words = [word for word in append.split() if word.startswith("initrd=")]
    return words[-1].removeprefix("initrd=") or None if words else None


def size(entry: BootEntry) -> int:
    """The characters that an entry holds, those it shares with others included."""
    texts = (entry.label, entry.title, entry.kernel, entry.initrd, entry.append, entry.fdt, entry.fdtdir)
    return sum(len(text) for text in (*texts, *entry.fdtoverlays, *entry.help, *entry.unknown) if text)


def locked_by(node: Directive, *, in_label: bool) -> str | None:
    """What a directive locks, as the end of "asks for ..."; None where it locks nothing.

    syslinux `doc/menu.txt`: MENU PASSWD in a label guards the entry, else the submenu; the others the whole menu.
    """
    if node.keyword == "MENU PASSWD":
        return f"a password for this {'entry' if in_label else 'menu'}"
    if node.keyword == "MENU MASTER":
        return "a master password" if (node.value or "").upper().split()[:1] == ["PASSWD"] else None
    if node.keyword == "ALLOWOPTIONS":
        return "command lines that nobody edits" if integer(node.value) == 0 else None
    return "a menu that nobody escapes" if integer(node.value) == 1 else None


LABEL_DIRECTIVES: dict[str, Callable[[Label, Directive], None]] = {
    "LINUX": Label.set_kernel,
    "KERNEL": Label.set_kernel,
    **dict.fromkeys(KEYWORD_KINDS, Label.set_kernel),
    "INITRD": Label.set_initrd,
    "FDT": Label.set_fdt,
    "DEVICETREE": Label.set_fdt,
    "FDTDIR": Label.set_fdtdir,
    "DEVICETREEDIR": Label.set_fdtdir,
    "FDTOVERLAYS": Label.set_fdtoverlays,
    "DEVICETREE-OVERLAY": Label.set_fdtoverlays,
    "MENU INDENT": Label.set_indent,
    "MENU HIDE": Label.hide,
    "MENU DISABLE": Label.disable,
    "MENU DISABLED": Label.disable,
}
