"""Findings of the linter while they are gathered: each has its severity from the table of codes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from chainboot.errors import Diagnostic, SourcePosition
from chainboot.extlinux.codes import CODES
from chainboot.extlinux.findings import DIAGNOSTIC_LIMIT
from chainboot.extlinux.parser import Directive, Document


class Report:
    """Findings about places in `documents`, `DIAGNOSTIC_LIMIT` of them at most."""

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._documents = {document.name: document for document in documents}

    def add(self, code: str, message: str, at: Directive | SourcePosition | None = None, hint: str = "") -> None:
        """Add a finding: about the value of a directive, about a place, or about no place in a file."""
        position = value_position(at) if isinstance(at, Directive) else at
        severity = CODES[code].severity
        if len(self.diagnostics) > DIAGNOSTIC_LIMIT:
            return
        if len(self.diagnostics) == DIAGNOSTIC_LIMIT:
            message = f"there are more than {DIAGNOSTIC_LIMIT} findings; the others are not listed"
            code, severity, hint = "too-many-findings", CODES["too-many-findings"].severity, ""
        line = None if position is None else self.line(position).rstrip("\r")
        if not line or _may_hold_password(line):
            line = None
        self.diagnostics.append(Diagnostic(severity, code, message, position, line, hint or None))

    def line(self, position: SourcePosition) -> str:
        """The line at a place, as it stands in the file; "" where there is none."""
        document = self._documents.get(position.file)
        if document is None or not 0 < position.line <= len(document.lines):
            return ""
        return document.lines[position.line - 1]


def _may_hold_password(line: str) -> bool:
    """MENU PASSWD and MENU MASTER PASSWD, misspelt or not: what follows is shown to nobody."""
    words = line[:200].upper().split()[:3]
    return any("PASS" in word or "PASW" in word or word == "MASTER" for word in words)


def value_position(node: Directive) -> SourcePosition:
    """Where the value of a directive starts, or the directive where it has none."""
    return SourcePosition(node.position.file, node.position.line, node.value_column)
