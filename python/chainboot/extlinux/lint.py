"""What an administrator would want to know about a configuration before the next boot. Pure.

Takes what was read and returns findings beyond those of parser.py and evaluation.py. Files are looked at by
chainboot.boot.inspection; what other readers make of the same text is dialects.py's business.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainboot.errors import Diagnostic
from chainboot.extlinux.dialects import compare_readers
from chainboot.extlinux.entry import BootEntry, Kind
from chainboot.extlinux.evaluation import ReadInclude
from chainboot.extlinux.label import LABEL_DIRECTIVES
from chainboot.extlinux.menu import LOOK, BootMenu
from chainboot.extlinux.parser import Directive
from chainboot.extlinux.report import Report
from chainboot.extlinux.sections import Section, Sections

# Directives of the whole configuration that evaluation.py gives a meaning.
_GLOBALS = (
    "LABEL APPEND SYSAPPEND IPAPPEND INCLUDE DEFAULT ONTIMEOUT FALLBACK TIMEOUT TOTALTIMEOUT PROMPT ALLOWOPTIONS "
    "NOESCAPE UI"
)
_MENU_WORDS = "INCLUDE PASSWD MASTER TITLE LABEL DEFAULT START BEGIN END SEPARATOR"

# Directives that other readers have and that mean nothing for a boot by kexec: syslinux doc/syslinux.txt and
# doc/pxelinux.txt, u-root (NERFDEFAULT), petitboot (PROXY, PLUGIN), U-Boot (KASLRSEED: kexec makes its own seed).
_ELSEWHERE = (
    "SERIAL CONSOLE NOHALT FONT KBDMAP DISPLAY SAY PATH SENDCOOKIES PXERETRY ONERROR NOCOMPLETE IMPLICIT TEXT ENDTEXT "
    "KASLRSEED NERFDEFAULT PROXY PLUGIN TARBALL F0 F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11 F12 AUTOBOOT MENU"
)

KNOWN = frozenset(
    {
        *LABEL_DIRECTIVES,
        *_GLOBALS.split(),
        *_ELSEWHERE.split(),
        *(f"MENU {word}" for word in (*_MENU_WORDS.split(), *LOOK)),
    }
)
"""Every keyword that some reader gives a meaning, upper case, one blank inside."""

# Looking for a similar keyword is slow, and a file with more unknown words than this is no configuration.
_SUGGESTIONS = 100
_SIMILARITY = 0.8

# Words of a command line that tell the kernel or its initrd what to start, besides root= (live systems, network).
_ROOTS = ("root=", "init=", "rdinit=", "nfsroot=", "boot=", "live", "inst.", "iso", "archiso", "alpine_dev=", "rescue")


def lint(sections: Sections, read_include: ReadInclude, menu: BootMenu) -> tuple[Diagnostic, ...]:
    """Findings about a configuration, whose meaning is `menu`; `read_include` as in `evaluation.resolve`."""
    report = Report(sections.documents)
    _directives(sections, report)
    _names(sections, menu, report)
    _timeouts(sections, menu, report)
    _entries(sections.labels(), menu, report)
    compare_readers(sections, read_include, menu, report)
    return tuple(report.diagnostics)


def _directives(sections: Sections, report: Report) -> None:
    """Keywords that nobody knows: most are slips of the pen."""
    similar: dict[str, str | None] = {}
    for section in sections.sections:
        for node in section.lines:
            if not isinstance(node, Directive) or node.keyword in KNOWN:
                continue
            if node.keyword not in similar:
                similar[node.keyword] = _similar(node.keyword) if len(similar) < _SUGGESTIONS else None
            meant = similar[node.keyword]
            if meant is None:
                report.add("unknown-directive", f"{node.keyword} is no known directive and was left out", node.position)
            else:
                message = f"{node.keyword} is no known directive and was left out; {meant} is one"
                report.add("misspelt-directive", message, node.position, f"did you mean {meant}?")


def _similar(keyword: str) -> str | None:
    import difflib  # late: it imports re, and only a slip of the pen needs it

    if len(keyword) > 2 * max(map(len, KNOWN)):
        return None
    found = difflib.get_close_matches(keyword, sorted(KNOWN), 1, _SIMILARITY)
    return found[0] if found else None


def _names(sections: Sections, menu: BootMenu, report: Report) -> None:
    """Directives that name a label or a menu."""
    labels = {entry.label for entry in menu.entries}
    for keyword, code, hint in (
        ("ONTIMEOUT", "ontimeout-not-found", "the default boots when the time is up; U-Boot takes it as DEFAULT"),
        ("FALLBACK", "fallback-not-found", "U-Boot has nothing to fall back to"),
    ):
        for node in sections.all(keyword):
            value = node.value or ""
            word = value.partition(" ")[0]
            if value not in labels and word not in labels and not word.lower().endswith(".c32"):
                report.add(code, f"{keyword} names no label of this file ({value or 'nothing'})", node, hint)
    tags = {each.tag for each in menu.menus if each.tag} | {".top"}
    for node in sections.all("MENU GOTO", "MENU EXIT"):
        needed = node.value is not None or node.keyword == "MENU GOTO"
        if needed and node.value not in tags:
            message = f"{node.keyword} names no menu of this file ({node.value or 'nothing'})"
            report.add("menu-target-not-found", message, node, "menus have the names that MENU BEGIN gives them")


def _timeouts(sections: Sections, menu: BootMenu, report: Report) -> None:
    timeout = sections.all("TIMEOUT")
    if menu.timeout_ds is None:
        if not timeout and menu.entries:
            message = "there is no TIMEOUT: syslinux and U-Boot wait for ever, chainboot takes its own setting"
            report.add("no-timeout", message)
    elif menu.timeout_ds == 0:
        report.add("timeout-zero", "TIMEOUT 0 waits for ever", timeout[-1] if timeout else None)
    elif menu.timeout_ds < 0:
        message = f"TIMEOUT {menu.timeout_ds} boots at once here; syslinux does not say, U-Boot may wait for ever"
        hint = "TIMEOUT 1 boots after a tenth of a second, in every reader"
        report.add("timeout-negative", message, timeout[-1] if timeout else None, hint)


def _entries(labels: Sequence[Section], menu: BootMenu, report: Report) -> None:
    """What each entry says about itself, and where it differs from the others."""
    linux = [entry for entry in menu.entries if entry.kind is Kind.LINUX]
    some_initrd = any(entry.initrd for entry in linux)
    some_root = any(_tells_root(entry) for entry in linux)
    if menu.default is not None and menu.entries[menu.default].reasons:
        entry = menu.entries[menu.default]
        message = f"{entry.label} is the default, and cannot be booted: {entry.reasons[0]}"
        report.add("default-unbootable", message, entry.position)
    for section, entry in zip(labels, menu.entries, strict=False):
        _kind(entry, report)
        if entry.kind is not Kind.LINUX:
            continue
        _initrds(section, entry, report)
        if some_initrd and not entry.initrd:
            report.add("no-initrd", f"{entry.label} has no initrd, though other entries have one", entry.position)
        if entry.append is None and " " not in (entry.kernel or ""):
            message = f"{entry.label} has no APPEND: its kernel gets no command line"
            hint = "petitboot drops the entry, U-Boot keeps the bootargs of its environment; write APPEND root=..."
            report.add("no-append", message, entry.position, hint)
        elif not _tells_root(entry) and _wants_root(entry, some_root):
            _no_root(section, entry, report)
        if entry.needs_env:
            _variables(section, entry, report)


def _variables(section: Section, entry: BootEntry, report: Report) -> None:
    """Variables of U-Boot. NixOS never writes one: there it is a kernel parameter that U-Boot would spoil."""
    at = next((line for line in section.lines if isinstance(line, Directive) and _variable(line)), entry.position)
    names = ", ".join(f"${{{name}}}" for name in entry.needs_env)
    if entry.nixos is None:
        message = f"{entry.label} needs {names} from the environment of U-Boot; here it stays as it is"
        report.add("needs-environment", message, at, "write the value into the line")
    else:
        message = f"U-Boot would replace {names} in {entry.label} by variables of its environment"
        report.add("uboot-variables", message, at)


def _variable(node: Directive) -> bool:
    return node.value is not None and ("${" in node.value or "$(" in node.value)


def _kind(entry: BootEntry, report: Report) -> None:
    """Entries that no kexec can start, by what they are meant to be."""
    if entry.disabled:
        report.add("disabled", f"{entry.label} is disabled by the configuration", entry.position)
    elif entry.kind in (Kind.NONE, Kind.FIT):
        hint = "syslinux would take the label as the file name of the kernel" if entry.kind is Kind.NONE else ""
        report.add("unbootable", f"{entry.label} cannot be booted: {entry.reasons[0]}", entry.position, hint)
    elif entry.kind not in (Kind.LINUX, Kind.NAVIGATION):
        report.add("not-linux", f"{entry.label} is not for chainboot: {entry.reasons[0]}", entry.position)


def _initrds(section: Section, entry: BootEntry, report: Report) -> None:
    """INITRD and `initrd=` both, or `initrd=` twice: readers differ about which one counts."""
    words = [word.removeprefix("initrd=") for word in (entry.append or "").split() if word.startswith("initrd=")]
    if not words or all(word == entry.initrd for word in words):
        return
    append = section.last("APPEND")
    other = next(word for word in words if word != entry.initrd)
    message = f"{entry.label} names the initrds {entry.initrd} and (initrd=) {other}; the first of these counts"
    hint = "syslinux and U-Boot may take the other one: name them once, in INITRD"
    report.add("conflicting-initrds", message, append or entry.position, hint)


def _tells_root(entry: BootEntry) -> bool:
    words = f"{entry.kernel or ''} {entry.append or ''}".split()[1:]
    return any(word.strip('"').startswith(_ROOTS) for word in words) or "${" in (entry.append or "")


def _wants_root(entry: BootEntry, others_have: bool) -> bool:
    """Whether a missing root= is strange. An initrd may know the root; KERNEL also starts memory tests and the like."""
    return "memtest" not in (entry.kernel or "") and (
        others_have or (not entry.initrd and entry.kernel_keyword == "LINUX") or entry.nixos is not None
    )


def _no_root(section: Section, entry: BootEntry, report: Report) -> None:
    at = section.last("APPEND") or entry.position
    if entry.nixos is not None:
        message = f"{entry.label} has no init= on its command line: NixOS would not start"
        report.add("no-init", message, at, "its system is named by init=/nix/store/...-nixos-system-.../init")
    else:
        what = "no initrd" if not entry.initrd else "other entries have one"
        report.add("no-root", f"{entry.label} has no root= on its command line, and {what}", at)
