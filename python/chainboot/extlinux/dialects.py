"""Where syslinux, U-Boot and petitboot would read a configuration in another way than chainboot. Pure.

A finding is a warning where that reader would boot something else, boot nothing, or reject the file.
Sources: uboot.py; syslinux com32/elflink/ldlinux (the boot prompt), petitboot discover/syslinux-parser.c.
"""

from __future__ import annotations

from chainboot.extlinux.entry import BootEntry
from chainboot.extlinux.evaluation import ReadInclude
from chainboot.extlinux.menu import BootMenu
from chainboot.extlinux.parser import Directive
from chainboot.extlinux.report import Report
from chainboot.extlinux.sections import Section, Sections
from chainboot.extlinux.uboot import UbootLabel, UbootReading, read_as_uboot
from chainboot.text import first_word

# U-Boot boot/bootmeth_extlinux.c: bootmeth_alloc_file(bflow, 0x10000, ..).
_UBOOT_SIZE = 0x10000

_FILE_NAMES = ("LINUX", "KERNEL", "INITRD", "FDT", "DEVICETREE")
_LISTED = 4

# How much of another entry's label stands in a message: one label of megabytes must not be in every finding.
_SHOWN = 60


def compare_readers(sections: Sections, read_include: ReadInclude, menu: BootMenu, report: Report) -> None:
    """Report where another reader differs. `menu` is what chainboot makes of the same text."""
    reading = read_as_uboot(sections.main, read_include)
    _uboot_fails(reading, report)
    _uboot_labels(reading, report)
    if not reading.rejected and not reading.crashes:
        _uboot_default(reading, sections, menu, report)
    _uboot_text(sections, report)
    _syslinux(sections, menu, report)
    _petitboot(sections, report)
    for section, entry in zip(sections.labels(), menu.entries, strict=False):
        _uboot_values(section, entry, report)


def _uboot_fails(reading: UbootReading, report: Report) -> None:
    for complaint in reading.rejected:
        message = f"U-Boot rejects the whole file: {complaint.why}"
        report.add("uboot-rejects", message, complaint.position, "no entry of the file is left then")
    for complaint in reading.crashes:
        message = f"U-Boot crashes on the file: {complaint.why}"
        hint = "write APPEND with a value" if "no value" in complaint.why else "name the initrd with INITRD"
        report.add("uboot-crashes", message, complaint.position, hint)
    for complaint in reading.skipped:
        message = f"U-Boot takes the next line ({complaint.why}) for the value that is missing here, and drops it"
        report.add("uboot-drops-lines", message, complaint.position, "give the directive a value, or take it out")


def _uboot_labels(reading: UbootReading, report: Report) -> None:
    for label in reading.labels:
        if label.lost and label.ended_at is not None:
            word = label.ended_by.upper() or "this line"
            more = f" and {len(label.lost) - _LISTED} more" if len(label.lost) > _LISTED else ""
            lost = ", ".join(label.lost[:_LISTED])
            message = f"U-Boot ends label {label.name.strip()} at {word} and drops what follows: {lost}{more}"
            hint = "move the line to the end of the label, or out of it"
            report.add("uboot-drops-lines", message, label.ended_at, hint)


def _uboot_default(reading: UbootReading, sections: Sections, menu: BootMenu, report: Report) -> None:
    ours = menu.entries[menu.default] if menu.default is not None else None
    theirs = reading.first_choice()
    if ours is None or theirs is None or _same(theirs, ours):
        return
    if any(finding.code == "default-not-found" for finding in menu.diagnostics):
        return  # said already, with what U-Boot does
    node = _last_default(sections)
    other = f"{theirs.name.strip()} (line {theirs.position.line})"
    message = f"U-Boot boots {other} by default, not {ours.label} (line {ours.position.line})"
    hint = "U-Boot boots the first entry it has a kernel for, where no DEFAULT or MENU DEFAULT names a label"
    if reading.default is not None:
        hint = "to U-Boot DEFAULT is one label byte for byte, the last of that name, and ONTIMEOUT is DEFAULT"
    report.add("uboot-default", message, node or ours.position, hint)


def _same(label: UbootLabel, entry: BootEntry) -> bool:
    return (label.position.file, label.position.line) == (entry.position.file, entry.position.line)


def _last_default(sections: Sections) -> Directive | None:
    found = sections.all("DEFAULT", "ONTIMEOUT")
    return found[-1] if found else None


def _uboot_text(sections: Sections, report: Report) -> None:
    """The file as a file: how its lines end, and how long it is."""
    for each in sections.documents:
        first = next((number for number, line in enumerate(each.lines, 1) if line.endswith("\r")), None)
        if first is not None:
            position = each.nodes[0].position if each.nodes else None
            message = f"{each.name} has lines that end in CR LF (the first is line {first})"
            hint = "U-Boot takes the CR as the end of every value and finds no file; save it with LF"
            report.add("uboot-line-ends", message, position, hint)
    size = sum(len(line.encode("utf-8", "surrogateescape")) + 1 for line in sections.main.lines)
    if size > _UBOOT_SIZE:
        message = f"{sections.main.name} has {size} bytes; the standard boot of U-Boot reads {_UBOOT_SIZE}"
        report.add("uboot-size", message, None, "list fewer generations, where U-Boot reads this file")


def _uboot_values(section: Section, entry: BootEntry, report: Report) -> None:
    """Values that U-Boot takes as they stand, or changes."""
    for keyword in _FILE_NAMES:
        node = section.last(keyword)
        if node is None or node.value is None:
            continue
        hint = "U-Boot takes the whole rest of the line as one file name"
        if keyword == "INITRD" and "," in node.value:
            message = f"{entry.label} has several initrds in one line, which U-Boot takes for one file name"
            report.add("uboot-file-name", message, node, "U-Boot cannot load several: join them into one file")
        elif keyword in ("LINUX", "KERNEL") and " " in node.value:
            message = f"{entry.label} has arguments after its kernel, which U-Boot takes for the file name"
            report.add("uboot-file-name", message, node, "move them to APPEND")
        elif report.line(node.position).rstrip("\r").endswith((" ", "\t")):
            report.add("uboot-file-name", f"there are blanks after the file name of {keyword}", node, hint)
    append = section.last("APPEND")
    if append is None or append.value is None:
        return
    if append.value == "-":
        message = f"{entry.label} has APPEND -, which is no command line; U-Boot boots with the command line -"
        report.add("append-dash", message, append)
    elif "'" in append.value or "\\" in append.value:
        message = f"U-Boot takes apostrophes and backslashes out of the command line of {entry.label}"
        report.add("uboot-quotes", message, append, "double quotes stay as they are, in every reader")


def _syslinux(sections: Sections, menu: BootMenu, report: Report) -> None:
    """The boot prompt of syslinux (not its menus) takes the first word of LABEL and of DEFAULT."""
    first: dict[str, BootEntry] = {}
    for section, entry in zip(sections.labels(), menu.entries, strict=False):
        word = entry.label.split(" ", 1)[0]
        earlier = first.setdefault(word, entry)
        if section.label is None or word == entry.label:
            continue
        if earlier.label not in (entry.label, word):
            message = f"the boot prompt of syslinux knows label {entry.label} as {word[:_SHOWN]}"
            message += f", and so it does {earlier.label[:_SHOWN]} (line {earlier.position.line})"
            hint = "it takes only the first word of a label: give the entries labels without blanks"
            report.add("syslinux-label", message, section.label, hint)
        else:
            message = f"the boot prompt of syslinux knows label {entry.label} as {word}"
            report.add("label-with-blanks", message, section.label)
    node = next((each for each in reversed(sections.all("DEFAULT")) if each.value == menu.default_value), None)
    if node is None or node.value is None or menu.default is None or menu.ui is not None:
        return
    ours, theirs = menu.entries[menu.default], first.get(first_word(node.value))
    if theirs is not None and theirs.position != ours.position:
        message = f"the boot prompt of syslinux boots {theirs.label} (line {theirs.position.line}) by default"
        report.add("syslinux-default", f"{message}, not {ours.label}", node, "give them labels without blanks")


def _petitboot(sections: Sections, report: Report) -> None:
    whole = next(
        (each.last("APPEND") for each in sections.sections if each.label is None and each.last("APPEND")), None
    )
    if whole is None or not whole.value:
        return
    both = sum(each.last("APPEND") is not None for each in sections.labels())
    if both:
        message = f"{both} entries have an APPEND of their own, which replaces this one; petitboot joins both"
        report.add("global-append", message, whole)
