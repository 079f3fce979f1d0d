"""The menu as lines of text for a screen of a given size.

Pure and plain ASCII, apart from what entries are called. Knows nothing of escape sequences: which line is selected and
where the cursor stands is said beside the text, and `terminal` shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from chainboot.session.editor import view
from chainboot.session.layout import wrap
from chainboot.session.state import Abilities, MenuItem, Mode, ScreenState, status
from chainboot.text import clip, printable, width

PRODUCT = "chainboot"

# Below this width badges shrink to one character.
_NARROW = 40
# No line shows more; what a disk calls a title may be megabytes.
_LONGEST_TEXT = 4000


def help_text(able: Abilities) -> tuple[str, ...]:
    """The help: a line for each key that somebody with these abilities can use, then sentences."""
    boot = "; more than nine: Enter boots it" if able.can_boot else ""
    lines = (
        (True, "Up, Down, j, k       select the entry above or below"),
        (True, "PgUp, PgDn           select a page above or below"),
        (True, "Home, End, g, G      select the first or last entry"),
        (True, f"a number             select this entry{boot}"),
        (able.can_boot, "Enter                boot the selected entry"),
        (able.can_edit, "e                    edit the command line for this boot only"),
        (able.can_shell, "s                    a rescue shell; leave it to come back"),
        (able.can_rescan, "r                    look for disks and entries again"),
        (able.can_quit, "q                    leave the menu, where there is something to go to"),
        (True, "Ctrl-L               draw the screen anew"),
        (True, ""),
        (True, "Any key stops the countdown. On a narrow screen * marks the default, ! what cannot boot."),
        (
            True,
            "[good]: a system that it started has proved itself. [trial 1 of 2]: its next start is a trial. [bad]: it "
            "has not proved itself, and does not boot by itself any more. On a narrow screen: g, t, b; n is new.",
        ),
        (able.can_edit, ""),
        (
            able.can_edit,
            "While editing: arrows, Home, End, Ctrl-Left, Ctrl-Right, Backspace, Delete; Ctrl-W, Ctrl-U, Ctrl-K cut, "
            "Ctrl-Y pastes; Enter boots with the line as it stands, Escape goes back and undoes everything.",
        ),
    )
    return tuple(line for shown, line in lines if shown)


@dataclass(frozen=True, slots=True)
class Frame:
    """Lines for the screen, top to bottom. `cursor` is (row, column), both from 0; None: no cursor is shown."""

    lines: tuple[str, ...]
    cursor: tuple[int, int] | None = None
    selected_row: int | None = None


def render(state: ScreenState, columns: int, rows: int) -> Frame:
    """`state` on a screen of `columns` by `rows` cells.

    At most `rows` - 1 lines of at most `columns` - 1 cells: the last cell of a line and the last row of a screen are
    where terminals differ in when they wrap and scroll.
    """
    state = replace(state, columns=columns, rows=rows)
    match state.mode:
        case Mode.LIST:
            frame = _list(state)
        case Mode.EDIT:
            frame = _editor(state)
        case Mode.HELP:
            frame = _help(state)
        case _:
            assert_never(state.mode)
    cells, most = max(columns - 1, 0), max(rows - 1, 0)
    lines = tuple(clip(line, cells) for line in frame.lines[:most])
    cursor = frame.cursor
    if cursor is not None and not (cursor[0] < len(lines) and cursor[1] < columns):
        cursor = None
    selected = frame.selected_row
    return Frame(lines, cursor, selected if selected is not None and selected < len(lines) else None)


def help_rows(state: ScreenState) -> tuple[int, int]:
    """How many lines the help has at this width, and how many of them fit."""
    return len(_help_lines(state)), max(state.rows - 4, 1)


def _list(state: ScreenState) -> Frame:
    layout = state.layout()
    cells = max(state.columns - 1, 2)
    count = len(state.items)
    lines = [_title(state)] * layout.title + [""] * layout.title_gap
    # `top` was computed for the size of the last `Resize`; a person must see the selection at any size.
    shown = max(layout.entries, 1)
    top = max(min(max(state.top, state.selected - shown + 1), state.selected, count - shown), 0)
    selected_row = len(lines) + state.selected - top if count else None
    number = len(str(max((item.index for item in state.items), default=0)))
    visible = [
        _entry(state, item, number, cells, selected=at == state.selected)
        for at, item in enumerate(state.items[top : top + shown], top)
    ]
    lines += _padded(visible if count else ["No entries."], layout.entries)
    if layout.more:
        above, below = top, count - top - len(visible)
        told = ", ".join(f"{n} more {where}" for n, where in ((above, "above"), (below, "below")) if n)
        lines.append(f"{' ' * (number + 4)}({told})")
    lines += [""] * layout.detail_gap
    lines += _padded(_detail(state.current, cells, layout.detail), layout.detail)
    lines += _padded([_shown(fact) for fact in state.banner], layout.banner)
    lines += _padded(state.told(), layout.message)
    if layout.hints:
        lines.append(_hints(state, cells))
    return Frame((*lines, status(state)), None, selected_row)


def _title(state: ScreenState) -> str:
    return _shown(state.title) or PRODUCT


def _entry(state: ScreenState, item: MenuItem, number: int, cells: int, *, selected: bool) -> str:
    narrow = state.columns < _NARROW
    badge = ""
    if item.index == state.default:
        badge += " *" if narrow else " (default)"
    if item.locked and not narrow:
        badge += " [locked]"
    if item.standing:
        badge += f" {item.standing[0]}" if narrow else f" [{item.standing}]"
    if not item.bootable:
        badge += " !" if narrow else " [cannot boot]"
    lead = f"{'>' if selected else ' '} {item.index:>{number}}  {' ' * min(item.indent, 16)}"
    room = max(cells - width(lead) - width(badge), 1)
    return lead + clip(_shown(item.title or item.label), room) + badge


def _detail(item: MenuItem | None, cells: int, rows: int) -> list[str]:
    """What is known about the selected entry. The command line comes last and takes the rows that are left."""
    if item is None:
        return []
    lines = [f"cannot boot: {_shown(reason)}" for reason in item.reasons]
    if item.title and item.title != item.label:
        lines.append(f"label {_shown(item.label)}")
    lines += [_shown(line) for line in item.detail]
    if len(lines) < rows:
        lines += wrap(f"command line: {_shown(item.cmdline)}", cells, rows - len(lines))
    return lines


def _hints(state: ScreenState, cells: int) -> str:
    """The keys that matter most, as many as fit; help is always among them."""
    able = state.abilities
    hints = ["Enter boot"] if state.items and able.can_boot else []
    hints += ["e edit"] if state.items and able.can_edit else []
    hints += ["s shell"] if able.can_shell else []
    hints += ["r rescan"] if able.can_rescan else []
    hints += ["q quit"] if able.can_quit else []
    while hints and len("  ".join([*hints, "? help"])) > cells:
        hints.pop()
    return "  ".join([*hints, "? help"])


def _editor(state: ScreenState) -> Frame:
    item, editor = state.current, state.editor
    if item is None or editor is None:
        return Frame((status(state),))
    cells = max(state.columns - 1, 2)
    roomy = state.rows >= 10
    lines = [f"Command line of {_shown(item.label)}, for this boot only"]
    lines += [_shown(item.note)] if item.note and roomy else []
    lines += [""] * roomy
    below = [""] * roomy + ["Enter boot  Esc back, undoing all", status(state)]
    room = max(state.rows - 1 - len(lines) - len(below), 1)
    seen = view(editor, cells, room)
    cursor = (len(lines) + seen.cursor[0], min(seen.cursor[1], cells))
    return Frame((*lines, *_padded(seen.rows, room), *below), cursor)


def _help(state: ScreenState) -> Frame:
    lines = _help_lines(state)
    count, shown = help_rows(state)
    top = max(min(state.help_top, count - shown), 0)
    leave = "Any other key goes back; Up and Down scroll." if count > shown else "Any key goes back."
    visible = _padded(lines[top : top + shown], shown)
    return Frame((f"{PRODUCT}  help", *visible, leave, status(state)))


def _help_lines(state: ScreenState) -> list[str]:
    cells = max(state.columns - 1, 2)
    return [row for line in help_text(state.abilities) for row in (wrap(line, cells, 100) or [""])]


def _shown(text: str) -> str:
    return printable(text[:_LONGEST_TEXT])


def _padded(lines: Sequence[str], rows: int) -> list[str]:
    """Exactly `rows` lines."""
    return [*lines[:rows], *[""] * (rows - len(lines))]
