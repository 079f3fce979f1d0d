"""How many rows of the screen each part of the menu gets.

Pure arithmetic. Knows nothing of what the parts say.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.text import clip, width

# Below this many rows nothing is kept blank for looks.
_ROOMY = 12
_MESSAGE_ROWS = 4
_BANNER_ROWS = 4
_DETAIL_ROWS = 5


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows of each part, from the top of the screen to its bottom; the status line is one more, the last."""

    title: int
    title_gap: int
    entries: int
    more: int  # the line that says how many entries are above and below
    detail_gap: int
    detail: int
    banner: int
    message: int
    hints: int


def arrange(rows: int, *, entries: int, banner: int, message: int) -> Layout:
    """Share out a screen of `rows` rows, whose last stays empty: a newline there would scroll it.

    What matters most is served first. The height of the list depends only on the arguments, never on which entry is
    selected, so the screen stands still while a person moves through it.
    """
    left = rows - 2  # the row that stays empty, the status line

    def take(wanted: int) -> int:
        nonlocal left
        taken = max(min(wanted, left), 0)
        left -= taken
        return taken

    listed = take(1)
    told = take(min(message, 1))
    hints = take(1)
    title = take(1)
    listed += take(min(entries, 3) - listed)
    told += take(min(message, _MESSAGE_ROWS) - told)
    listed += take(min(entries, 5) - listed)
    roomy = rows >= _ROOMY
    title_gap = take(1) if roomy else 0
    told += take(1) if roomy and not told else 0
    banner_rows = take(min(banner, _BANNER_ROWS))
    listed += take(min(entries, 7) - listed)
    detail_gap = take(1) if roomy else 0
    detail = take(_DETAIL_ROWS)
    listed += take(entries - listed)
    detail += take(left)
    more = 1 if 3 <= listed < entries else 0
    return Layout(title, title_gap, listed - more, more, detail_gap, detail, banner_rows, told, hints)


def wrap(text: str, cells: int, limit: int) -> list[str]:
    """`text` in at most `limit` rows of at most `cells` (>= 2) cells, broken at blanks where there are any."""
    lines: list[str] = []
    while text and len(lines) < limit:
        fit = _fitting(text, cells)
        if fit < len(text):
            # A blank right behind the row is a good place too.
            blank = text.rfind(" ", 1, fit + 1)
            fit = blank if blank > 0 else fit
        lines.append(text[:fit].rstrip(" "))
        text = text[fit:].lstrip(" ")
    if text and lines:
        lines[-1] = _cut(lines[-1], cells)
    return lines


def _cut(line: str, cells: int) -> str:
    """`line` with a mark at its end that says: there is more."""
    return f"{line}~" if width(line) < cells else clip(f"{line}~", cells)


def _fitting(text: str, cells: int) -> int:
    """How many characters of `text`, at least one, fit into `cells` cells."""
    if text.isascii():
        return min(len(text), max(cells, 1))
    taken = 0
    for position, char in enumerate(text):
        taken += width(char)
        if taken > cells:
            return max(position, 1)
    return len(text)
