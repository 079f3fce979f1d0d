"""What is found while a configuration is read, gathered and bounded. Pure."""

from __future__ import annotations

from chainboot.errors import Diagnostic, Severity, SourcePosition
from chainboot.extlinux.parser import Document

DIAGNOSTIC_LIMIT = 10_000


class Findings:
    """Diagnostics in the order in which they are found, `DIAGNOSTIC_LIMIT` of them at most."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._documents: dict[str, Document] = {}
        self._full = False

    def enter(self, document: Document) -> None:
        """Take over what the parser found, and know the lines of the document from now on."""
        self._documents[document.name] = document
        for diagnostic in document.diagnostics:
            self.add(diagnostic)

    def warn(self, code: str, message: str, position: SourcePosition, hint: str | None = None) -> None:
        """Add a warning about a place in a document that was entered, with its line."""
        document = self._documents[position.file]
        self.add(document.diagnostic(Severity.WARNING, code, message, position, hint))

    def add(self, diagnostic: Diagnostic) -> None:
        """Add a finding, unless there are too many already, which is then said once."""
        if len(self.diagnostics) < DIAGNOSTIC_LIMIT:
            self.diagnostics.append(diagnostic)
        elif not self._full:
            self._full = True
            message = f"there are more than {DIAGNOSTIC_LIMIT} findings; the others are not listed"
            self.diagnostics.append(Diagnostic(Severity.WARNING, "too-many-findings", message, diagnostic.position))
