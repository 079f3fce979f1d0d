"""How a new text of a file differs from the old one, as a unified diff for a person.

Pure and linear: every new line knows which old line it stands for, so nothing has to be searched (difflib is
quadratic on hostile files). Made to be read, not to be applied: characters that drive a terminal are replaced, and
passwords are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainboot.text import printable

_CONTEXT = 3
_NO_NEWLINE = "\\ No newline at end of file"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the new text, without its LF. `source` is the old line that it stands for, from 1; None: it is new."""

    text: str
    source: int | None


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the diff; `sign` is " ", "-" or "+". `cut`: the line has no LF."""

    sign: str
    text: str
    cut: bool = False


def unified(name: str, before: bytes, after: Sequence[Line], *, final_newline: bool = True) -> str:
    """The differences between `before` and `after`, "" where there are none.

    `after` is in file order and so are its sources; `final_newline` says whether its last line ends in LF.
    """
    rows = _rows(before, after, final_newline)
    changed = [index for index, row in enumerate(rows) if row.sign != " "]
    if not changed:
        return ""
    shown = [f"--- {printable(name)}", f"+++ {printable(name)} (new)"]
    old = new = 1
    done = 0
    for first, last in _hunks(changed, len(rows)):
        old += first - done  # what lies between hunks is the same on both sides
        new += first - done
        hunk = rows[first:last]
        olds, news = sum(row.sign != "+" for row in hunk), sum(row.sign != "-" for row in hunk)
        shown.append(f"@@ -{_range(old, olds)} +{_range(new, news)} @@")
        for row in hunk:
            shown.append(f"{row.sign}{_shown(row.text)}")
            if row.cut:
                shown.append(_NO_NEWLINE)
        old, new, done = old + olds, new + news, last
    return "".join(f"{line}\n" for line in shown)


def _rows(before: bytes, after: Sequence[Line], final_newline: bool) -> list[_Row]:
    old = before.decode("utf-8", "surrogateescape").split("\n")
    old_newline = old[-1] == ""
    if old_newline:
        old.pop()
    rows: list[_Row] = []
    minus: list[_Row] = []
    plus: list[_Row] = []

    def remove(start: int, end: int) -> None:
        for at in range(start, end):
            minus.append(_Row("-", old[at], cut=not old_newline and at == len(old) - 1))

    reached = 0
    for number, line in enumerate(after, 1):
        cut = not final_newline and number == len(after)
        if line.source is None:
            plus.append(_Row("+", line.text, cut))
            continue
        at = line.source - 1
        remove(reached, at)
        reached = line.source
        if old[at] == line.text and cut == (not old_newline and reached == len(old)):
            rows += [*minus, *plus, _Row(" ", line.text, cut)]
            minus.clear()
            plus.clear()
        else:
            remove(at, reached)
            plus.append(_Row("+", line.text, cut))
    remove(reached, len(old))
    return [*rows, *minus, *plus]


def _hunks(changed: Sequence[int], length: int) -> list[tuple[int, int]]:
    """Ranges of rows to show: the changed ones with their context, joined where they touch."""
    hunks: list[tuple[int, int]] = []
    for index in changed:
        first, last = max(0, index - _CONTEXT), min(length, index + _CONTEXT + 1)
        if hunks and first <= hunks[-1][1]:
            hunks[-1] = (hunks[-1][0], last)
        else:
            hunks.append((first, last))
    return hunks


def _range(start: int, count: int) -> str:
    """A range as diff(1) writes it: an empty one names the line before."""
    return f"{start}" if count == 1 else f"{start if count else start - 1},{count}"


def _shown(text: str) -> str:
    """The line without what drives a terminal, and without its password: diffs end up in logs."""
    words = text.lower().split(maxsplit=3)
    if words[:2] == ["menu", "passwd"] or words[:3] == ["menu", "master", "passwd"]:
        return f"{printable(text[: text.lower().index('passwd') + 6])} (password)"
    return printable(text)
