"""What U-Boot makes of a configuration: the labels it ends up with, and where it gives up. Pure.

A model of boot/pxe_utils.c (parse_pxefile and below, U-Boot 2026.10-rc), which reads a file word by word: a label
ends at the first word that U-Boot knows no place for in it, and what follows belongs to no label. Where U-Boot would
reject the file or crash, the model notes it and goes on, so that one run of `check` shows all such places.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chainboot.errors import SourcePosition
from chainboot.extlinux.evaluation import INCLUDE_FILES, ReadInclude
from chainboot.extlinux.included import IncludedFiles
from chainboot.extlinux.parser import Document, integer

# pxe_utils.c, MAX_NEST_LEVEL: "This 16 comes from the limit pxelinux imposes on nested includes."
_NESTING = 16

# U-Boot reads on where a word takes no value. More such words than this in one line are an attack on this reader.
_WORDS = 50

# pxe_utils.c, keywords[]: two words with one token are one here.
_SAME = {"LINUX": "KERNEL", "DEVICETREE": "FDT", "DEVICETREEDIR": "FDTDIR", "DEVICETREE-OVERLAY": "FDTOVERLAYS"}
_ONCE = frozenset({"INITRD", "FDT", "FDTDIR", "FDTOVERLAYS"})
_OF_LABEL = frozenset({"MENU", "KERNEL", "APPEND", "LOCALBOOT", "IPAPPEND", "KASLRSEED", *_ONCE})

# Lines whose loss changes what boots, not only how it is shown.
_MATTERS = (_OF_LABEL - {"MENU", "KASLRSEED"}) | set(_SAME)


@dataclass(slots=True)
class UbootLabel:
    """A label as U-Boot has it. `ended_by` is the word that ended it early, `lost` the lines that it lost by that."""

    name: str
    position: SourcePosition
    kernel: str | None = None
    append: str | None = None
    once: dict[str, str] = field(default_factory=dict)
    localboot: bool = False
    ended_by: str = ""
    ended_at: SourcePosition | None = None
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Complaint:
    """A place where U-Boot fails, and the end of the sentence "U-Boot ... because"."""

    position: SourcePosition
    why: str


@dataclass(slots=True)
class UbootReading:
    """What U-Boot has read. `skipped` are lines that vanish because the line before them lacks its value."""

    labels: list[UbootLabel] = field(default_factory=list)
    default: str | None = None
    rejected: list[Complaint] = field(default_factory=list)
    crashes: list[Complaint] = field(default_factory=list)
    skipped: list[Complaint] = field(default_factory=list)

    def first_choice(self) -> UbootLabel | None:
        """What U-Boot boots by itself: the last label that DEFAULT equals byte for byte, else the first with a kernel.

        pxe_utils.c, pxe_menu_to_menu and boot_unattempted_labels.
        """
        named = [label for label in self.labels if self.default is not None and label.name == self.default]
        if named:
            return named[-1]
        return next((label for label in self.labels if label.kernel is not None or label.localboot), None)


def read_as_uboot(document: Document, read_include: ReadInclude) -> UbootReading:
    """What U-Boot would make of `document`; `read_include` as in `evaluation.resolve`."""
    reader = _Reader(read_include)
    reader.file(document, 1)
    return reader.reading


class _Reader:
    def __init__(self, read_include: ReadInclude) -> None:
        self.reading = UbootReading()
        self._files = IncludedFiles(read_include, INCLUDE_FILES)
        self._label: UbootLabel | None = None
        self._loser: UbootLabel | None = None

    def file(self, document: Document, nesting: int) -> None:
        """parse_pxefile_top."""
        skipping: SourcePosition | None = None
        for number, line in enumerate(document.lines, 1):
            text = line.lstrip(" \t")
            here = SourcePosition(document.name, number, 1 + len(line) - len(text))
            if skipping is not None:
                if text and text[0] not in "#\r":
                    self.reading.skipped.append(Complaint(skipping, _word(text)[0].upper()))
                skipping = None
            elif self._line(text, here, nesting):
                skipping = here
        self._label = None

    def _line(self, text: str, here: SourcePosition, nesting: int) -> bool:
        """Read one line; True where U-Boot takes the end of it for a value and skips the next line."""
        for _ in range(_WORDS):
            text = text.lstrip(" \t")
            if not text or text[0] == "#":
                break
            raw, rest = _word(text)
            word = raw.upper()
            word = _SAME.get(word, word)
            label = self._label
            if label is None:
                return self._at_top(word, raw, rest, here, nesting)
            if word not in _OF_LABEL:
                label.ended_by, label.ended_at = raw, here
                self._label, self._loser = None, label
            elif word == "MENU":
                return self._menu_of_label(label, rest)
            elif word == "KASLRSEED":
                text = rest
            elif word in _ONCE and word in label.once:
                text = rest  # its value is not read, and what is not read is the next word
            else:
                self._of_label(label, word, raw, _literal(rest), here)
                return False
        return False

    def _of_label(self, label: UbootLabel, word: str, raw: str, value: str | None, here: SourcePosition) -> None:
        if word == "APPEND":
            self._append(label, value, here)
        elif value is None:
            self._reject(here, f"{raw.upper()} has no value")
        elif word == "KERNEL":
            label.kernel = value.partition("#")[0]
        elif word == "LOCALBOOT":
            label.localboot = True
        elif word in _ONCE:
            label.once[word] = value

    def _append(self, label: UbootLabel, value: str | None, here: SourcePosition) -> None:
        """parse_label: strstr(append, "initrd="), then strchr(.., ' '), neither of them checked."""
        label.append = value if value is not None else label.append
        if "INITRD" in label.once:
            return
        if label.append is None:
            self.reading.crashes.append(Complaint(here, "APPEND has no value"))
            return
        _, found, rest = label.append.partition("initrd=")
        if found:
            name, blank, _ = rest.partition(" ")
            if not blank:
                self.reading.crashes.append(Complaint(here, "initrd= is the last word of APPEND"))
            label.once["INITRD"] = name

    def _menu_of_label(self, label: UbootLabel, rest: str) -> bool:
        word, value = _word(rest.lstrip(" \t"))
        if word.upper() == "DEFAULT" and self.reading.default is None:
            self.reading.default = label.name
        return not word or word.startswith("#") or (word.upper() == "LABEL" and _literal(value) is None)

    def _at_top(self, word: str, raw: str, rest: str, here: SourcePosition, nesting: int) -> bool:
        value = _literal(rest)
        if word == "MENU":
            return self._menu_at_top(rest, here, nesting)
        if word == "INCLUDE":
            self._include(value, here, nesting)
        elif word in ("TIMEOUT", "PROMPT", "DEFAULT", "ONTIMEOUT", "FALLBACK", "LABEL"):
            if value is None:
                self._reject(here, f"{raw.upper()} has no value")
            elif word in ("DEFAULT", "ONTIMEOUT"):
                self.reading.default = value
            elif word == "LABEL":
                self._loser = None
                self._label = UbootLabel(value, here)
                self.reading.labels.append(self._label)
        elif word in _MATTERS and self._loser is not None:
            self._loser.lost.append(raw.upper())
        return False

    def _menu_at_top(self, rest: str, here: SourcePosition, nesting: int) -> bool:
        word, after = _word(rest.lstrip(" \t"))
        if not word or word.startswith("#"):
            return True
        value = _literal(after)
        if word.upper() == "INCLUDE":
            self._include(value, here, nesting)
        elif word.upper() in ("TITLE", "BACKGROUND") and value is None:
            missing = "has no value" if not after.strip() else "has a value that starts with #, which is a comment"
            self._reject(here, f"MENU {word.upper()} {missing}")
        return False

    def _include(self, name: str | None, here: SourcePosition, nesting: int) -> None:
        """handle_include: the whole rest of the line is the file name, and a file that is not there is an error."""
        if name is None:
            self._reject(here, "INCLUDE names no file")
            return
        document = self._files.find(name)
        if document is None:
            self._reject(here, f"it cannot read {name}")
        elif nesting >= _NESTING:
            self._reject(here, f"files are included more than {_NESTING} deep")
        elif self._files.admits(name):
            self.file(document, nesting + 1)

    def _reject(self, here: SourcePosition, why: str) -> None:
        self.reading.rejected.append(Complaint(here, why))


def timeout_in_seconds(value: str | None) -> int:
    """TIMEOUT as U-Boot counts it: DIV_ROUND_UP(n, 10) in C, which cuts towards 0; 0 waits for ever."""
    return int(((integer(value) or 0) + 9) / 10)


def _word(text: str) -> tuple[str, str]:
    """The first word of `text`, as get_string(.., ' ', ..) cuts it at whatever isspace() is, and what follows it."""
    end = next((place for place, char in enumerate(text) if char in " \t\v\f\r"), len(text))
    return text[:end], text[end:]


def _literal(rest: str) -> str | None:
    """The rest of a line as a value, verbatim; None where it is empty or a comment ("literals can't begin with #")."""
    value = rest.lstrip(" \t")
    return None if not value or value.startswith("#") else value
