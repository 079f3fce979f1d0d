"""A line editor for one kernel command line.

Pure: a key gives a new editor. Knows nothing of terminals or entries; what Enter and Escape mean, `screen` says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chainboot.text import printable, width

# Well above every kernel's limit (x86 2048, s390x up to 65536 with the field in the image): a bound for the memory of a
# first stage, not a rule about command lines, which is the preflight's.
LONGEST = 65536


@dataclass(frozen=True, slots=True)
class LineEditor:
    """`text` with the cursor before character `cursor`; `original` is what it was, `killed` what C-y brings back."""

    text: str
    cursor: int
    original: str
    killed: str = ""

    @property
    def changed(self) -> bool:
        return self.text != self.original

    def press(self, key: str) -> LineEditor:
        """What the key named `key` makes of it; the names are those of `keys`. Other keys change nothing."""
        at, end = self.cursor, len(self.text)
        match key:
            case "Left" | "C-b":
                return self.move(at - 1)
            case "Right" | "C-f":
                return self.move(at + 1)
            case "Home" | "C-a":
                return self.move(0)
            case "End" | "C-e":
                return self.move(end)
            case "C-Left" | "A-Left" | "A-b":
                return self.move(self.word_start())
            case "C-Right" | "A-Right" | "A-f":
                return self.move(self.word_end())
            case "Backspace":
                return self.cut(at - 1, at, keep=False)
            case "Delete" | "C-d":
                return self.cut(at, at + 1, keep=False)
            case "C-w" | "A-Backspace":
                return self.cut(self.word_start(), at, keep=True)
            case "A-d" | "C-Delete":
                return self.cut(at, self.word_end(), keep=True)
            case "C-u":
                return self.cut(0, at, keep=True)
            case "C-k":
                return self.cut(at, end, keep=True)
            case "C-y":
                return self.insert(self.killed)
            case "Tab":  # pasted text: what a tab held apart must not grow together
                return self.insert(" ")
            case _:
                # Nothing that could drive a terminal or a log; the names of other keys are longer than one.
                return self.insert(key) if len(key) == 1 and printable(key) == key else self

    def insert(self, text: str) -> LineEditor:
        """With `text` put before the cursor, as it is; unchanged if it would grow beyond `LONGEST`."""
        if len(self.text) + len(text) > LONGEST:
            return self
        return replace(
            self,
            text=self.text[: self.cursor] + text + self.text[self.cursor :],
            cursor=self.cursor + len(text),
        )

    def move(self, cursor: int) -> LineEditor:
        return replace(self, cursor=min(max(cursor, 0), len(self.text)))

    def cut(self, start: int, end: int, *, keep: bool) -> LineEditor:
        """Without the characters from `start` to `end`; `keep` makes them what C-y brings back."""
        start, end = max(start, 0), min(end, len(self.text))
        if start >= end:
            return self
        killed = self.text[start:end] if keep else self.killed
        return replace(self, text=self.text[:start] + self.text[end:], cursor=start, killed=killed)

    def word_start(self) -> int:
        """Where the parameter before the cursor begins: blanks separate parameters."""
        start = len(self.text[: self.cursor].rstrip(" \t"))
        return max(self.text.rfind(" ", 0, start), self.text.rfind("\t", 0, start)) + 1

    def word_end(self) -> int:
        """Where the parameter after the cursor ends."""
        end = self.cursor
        while end < len(self.text) and self.text[end] in " \t":
            end += 1
        while end < len(self.text) and self.text[end] not in " \t":
            end += 1
        return end


@dataclass(frozen=True, slots=True)
class EditorView:
    """Rows of text, none wider than asked for, and where in them the cursor is (row and cell, both from 0)."""

    rows: tuple[str, ...]
    cursor: tuple[int, int]


def view(editor: LineEditor, columns: int, rows: int) -> EditorView:
    """The text broken into rows of at most `columns` (>= 2) cells, and of these the `rows` around the cursor.

    Broken at any character: what is shown is the text itself, and a blank at the end of a row is a blank in the text.
    """
    text = printable(editor.text)  # one character for one, so that positions stay
    lines: list[str] = []
    cursor = (0, 0)
    start = cells = 0
    for position, char in enumerate(text):
        size = width(char)
        if cells + size > columns:
            lines.append(text[start:position])
            start, cells = position, 0
        if position == editor.cursor:
            cursor = (len(lines), cells)
        cells += size
    if editor.cursor >= len(text):
        if cells >= columns:  # the cursor needs a cell of its own
            lines.append(text[start:])
            start, cells = len(text), 0
        cursor = (len(lines), cells)
    lines.append(text[start:])
    first = min(max(cursor[0] - rows // 2, 0), max(len(lines) - rows, 0))
    return EditorView(tuple(lines[first : first + rows]), (cursor[0] - first, cursor[1]))
