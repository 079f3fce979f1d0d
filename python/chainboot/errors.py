"""What went wrong, where, and what to do about it.

Library code raises `ChainbootError` or returns `Diagnostic`s; only `cli.main` prints and exits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from chainboot.text import printable


@dataclass(frozen=True, slots=True, order=True)
class SourcePosition:
    """A place in a file. `line` and `column` count from 1; a column is a character, not a byte."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{printable(self.file)}:{self.line}:{self.column}"


class Severity(Enum):
    """How bad a finding is. An error costs an entry or a line; a warning may surprise; info explains."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about a configuration.

    `code` is stable and meant for machines (`duplicate-label`); `message` is one sentence for a person;
    `hint` says what to do. `source_line` is the raw line it is about, shown with a caret.
    """

    severity: Severity
    code: str
    message: str
    position: SourcePosition | None = None
    source_line: str | None = None
    hint: str | None = None

    def format(self, root: str = "") -> str:
        """The finding as a person reads it: position, message, the line with a caret, the hint.

        `root` is what a person calls the place that file names start from: "disk" makes /boot/x disk/boot/x.
        """
        where = f"{printable(root)}{self.position}: " if self.position else ""
        lines = [f"{where}{self.severity.value}: {printable(self.message)} [{self.code}]"]
        if self.source_line is not None and self.position is not None:
            lines += _excerpt(self.source_line, self.position.column)
        if self.hint:
            lines.append(f"  (hint) {printable(self.hint)}")
        return "\n".join(lines)


_EXCERPT_WIDTH = 100
_EXCERPT_LEAD = 60


def _excerpt(line: str, column: int) -> list[str]:
    """The source line and a caret below `column`, cut to a window so that a 10 MB line stays readable."""
    start = max(0, column - 1 - _EXCERPT_LEAD)
    shown = printable(line[start : start + _EXCERPT_WIDTH].replace("\t", " "))
    return [f"    {shown}", f"    {' ' * (column - 1 - start)}^"]


class ChainbootError(Exception):
    """Something a person must know: one sentence, where it is, and what to do."""

    def __init__(self, message: str, *, hint: str | None = None, position: SourcePosition | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.position = position

    def __str__(self) -> str:
        where = f"{self.position}: " if self.position else ""
        return f"{where}{printable(self.message)}"


class NotFoundError(ChainbootError):
    """There is no such configuration, entry or device. The command line gives it an exit code of its own."""


class RefusedError(ChainbootError):
    """The boot, or a step of it, would not have worked and was not attempted, or failed and was undone."""


def reason(error: ChainbootError | OSError) -> str:
    """Why, as the end of a sentence: what we say ourselves, or the system's words for it: `no space left on device`."""
    return error.message if isinstance(error, ChainbootError) else (error.strerror or str(error)).lower()
