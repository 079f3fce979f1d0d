"""Text that came from a disk or a network, made harmless before a terminal sees it.

Knows Unicode; knows nothing of terminals, files or entries.
"""

from __future__ import annotations

import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Cc: C0, DEL and C1, among them ESC and CSI, which drive a terminal. Cf: bidi overrides and zero-width
# characters, which make a label read as something else. Cs: what surrogateescape made of bytes that are
# not UTF-8; they cannot be printed at all. Zl and Zp break a line in some terminals.
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    """`text` with every character that could drive or confuse a terminal replaced by U+FFFD; tabs become blanks."""
    if text.isascii() and text.isprintable():  # nearly all text there is
        return text
    return "".join(
        " " if char == "\t" else REPLACEMENT if unicodedata.category(char) in _HARMFUL else char for char in text
    )


def width(text: str) -> int:
    """Terminal cells that `text` takes: two for wide characters, none for combining ones (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def clip(text: str, cells: int) -> str:
    """The start of `text` that fits into `cells` terminal cells, ending in `~` where something was cut off."""
    if width(text) <= cells:
        return text
    if cells <= 0:
        return ""
    taken = 0
    kept: list[str] = []
    for char in text:
        taken += _cells(char)
        if taken > cells - 1:
            break
        kept.append(char)
    return "".join(kept) + "~"


def first_word(text: str) -> str:
    """The first word of a text; "" where it is blank, also where its blanks are none to the grammar (U+0085)."""
    words = text.split(maxsplit=1)
    return words[0] if words else ""


def counted(number: int, what: str) -> str:
    """`1 error`, `2 errors`: a number and its noun, for nouns that take an s."""
    return f"{number} {what}{'' if number == 1 else 's'}"
