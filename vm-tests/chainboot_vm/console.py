"""What a machine has written on a console, as lines in order.

Knows bytes, terminal sequences and searching; pure: no clock, no file, no thread. Lines are kept as a person would
read them: escape sequences and control characters are taken out before anything is matched or logged, so a scenario
never waits for a colour or a cursor movement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# ECMA-48: CSI sequences; OSC strings up to BEL or ST; two-character escapes, those with intermediates included.
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def readable(text: str) -> str:
    """`text` without terminal sequences and without control characters (a tab stays, a carriage return does not)."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


@dataclass(frozen=True, slots=True)
class Line:
    """One line and when its end arrived, in seconds since the machine was started."""

    seconds: float
    text: str


@dataclass(slots=True)
class Console:
    """The lines so far, what has no line end yet, and how far searching has come."""

    lines: list[Line] = field(default_factory=list)
    _pending: bytes = b""
    _searched: int = 0

    @property
    def partial(self) -> str:
        """What came after the last line end, such as a shell's prompt."""
        return readable(self._pending.decode("utf-8", "replace"))

    def feed(self, data: bytes, seconds: float) -> tuple[Line, ...]:
        """Take what was read at `seconds` and return the lines that it completed."""
        *ended, self._pending = (self._pending + data).split(b"\n")
        new = tuple(Line(seconds, readable(text.decode("utf-8", "replace"))) for text in ended)
        self.lines += new
        return new

    def search(self, pattern: re.Pattern[str]) -> bool:
        """Look for `pattern` in the lines that no earlier search has consumed.

        As the NixOS test driver does it: whole lines only, matched as one text, so a pattern may span lines; a match
        consumes everything up to the end of its last line. No match consumes nothing.
        """
        text = "".join(f"{line.text}\n" for line in self.lines[self._searched :])
        found = pattern.search(text)
        if found is None:
            return False
        self._searched += text.count("\n", 0, max(found.end() - 1, found.start())) + 1
        return True

    def first(self, pattern: re.Pattern[str]) -> Line | None:
        """The first line of all that matches, consumed or not."""
        return next((line for line in self.lines if pattern.search(line.text)), None)

    def tail(self, count: int) -> tuple[str, ...]:
        """The last `count` lines, one without an end included."""
        texts = [line.text for line in self.lines[-count:]]
        if self.partial:
            texts.append(self.partial)
        return tuple(texts[-count:])
