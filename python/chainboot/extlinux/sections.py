"""The lines of a configuration by the label they stand in, over all its files. Pure.

Knows which line closes a label and in which order included files are read (evaluation.py's rules, held together by
a test), not what any other line means.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.extlinux.evaluation import INCLUDE_DEPTH, INCLUDE_FILES, ReadInclude
from chainboot.extlinux.included import IncludedFiles
from chainboot.extlinux.parser import Directive, Document, Junk, TextBlock

Line = Directive | TextBlock | Junk


@dataclass(frozen=True, slots=True)
class Section:
    """A LABEL and the lines up to whatever closes it; with `label` None, lines that stand in no label."""

    label: Directive | None
    lines: tuple[Line, ...]

    def all(self, *keywords: str) -> tuple[Directive, ...]:
        """The directives with one of these keywords, in order."""
        return tuple(line for line in self.lines if isinstance(line, Directive) and line.keyword in keywords)

    def last(self, *keywords: str) -> Directive | None:
        """The last directive with one of these keywords, which is the one that counts."""
        found = self.all(*keywords)
        return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class Sections:
    """A whole configuration: its sections in the order in which they are read, and every file that was."""

    sections: tuple[Section, ...]
    documents: tuple[Document, ...]

    @property
    def main(self) -> Document:
        """The file that includes the others."""
        return self.documents[0]

    def labels(self) -> tuple[Section, ...]:
        """The sections of labels: the n-th is the n-th entry of the menu."""
        return tuple(section for section in self.sections if section.label is not None)

    def all(self, *keywords: str) -> tuple[Directive, ...]:
        """The directives with one of these keywords wherever they stand, in order."""
        return tuple(line for section in self.sections for line in section.all(*keywords))


def divide(document: Document, read_include: ReadInclude) -> Sections:
    """The sections of `document` and of the files that it includes."""
    division = _Division(document, read_include)
    division.read(document)
    division.close()
    return Sections(tuple(division.sections), tuple(division.documents.values()))


# syslinux com32/menu/readconfig.c: what calls record() and so ends the label.
_CLOSING = frozenset({"MENU BEGIN", "MENU END", "MENU SEPARATOR"})


class _Division:
    def __init__(self, main: Document, read_include: ReadInclude) -> None:
        self.sections: list[Section] = []
        self.documents: dict[str, Document] = {main.name: main}
        self._files = IncludedFiles(read_include, INCLUDE_FILES)
        self._including = [main.name]
        self._label: Directive | None = None
        self._lines: list[Line] = []

    def read(self, document: Document) -> None:
        for node in document.nodes:
            if isinstance(node, Directive):
                if node.keyword == "LABEL":
                    self.close()
                    self._label = node
                    continue
                if node.keyword in _CLOSING:
                    self.close()
                self._lines.append(node)
                if node.keyword in ("INCLUDE", "MENU INCLUDE"):
                    self._include(node)
            elif isinstance(node, TextBlock | Junk):
                self._lines.append(node)

    def close(self) -> None:
        if self._label is not None or self._lines:
            self.sections.append(Section(self._label, tuple(self._lines)))
        self._label, self._lines = None, []

    def _include(self, node: Directive) -> None:
        name, _, tag = (node.value or "").replace("\t", " ").partition(" ")
        if not name or len(self._including) > INCLUDE_DEPTH:
            return
        document = self._files.find(name)
        if document is None or document.name in self._including or not self._files.admits(name):
            return
        self.documents[document.name] = document
        if tag.strip():
            self.close()
        self._including.append(document.name)
        self.read(document)
        self._including.pop()
        if tag.strip():
            self.close()
