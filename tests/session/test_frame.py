"""The menu as text: goldens at four sizes, and the facts that a picture does not prove."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session.menus import HOSTILE, after, entries, entry, menu, sized

from chainboot.session.frame import Frame, help_text, render
from chainboot.session.layout import arrange, wrap
from chainboot.session.screen import Abilities, ScreenState
from chainboot.text import printable, width

GOLDENS = Path(__file__).parent / "goldens"
SIZES = [(20, 6), (40, 10), (80, 24), (200, 60)]

ALL = Abilities(can_quit=True)
LOOKING = Abilities(can_boot=False, can_rescan=False, can_shell=False, can_edit=False, can_quit=True)

LONG = "init=/nix/store/x1z-nixos-system/init " + "module.parameter=value " * 30
STATES = {
    "countdown": menu(5, banner=("ssh root@192.0.2.7",)),
    "scrolled": after(menu(40, timeout_ds=None), *["Down"] * 30),
    "refused": after(menu(5), "3", "Enter"),
    "back-with-a-reason": menu(5, message="nixos-42-default did not load: kexec: cannot open /boot/nixos/k1-bzImage."),
    "number": after(menu(20), "1", "2"),
    "edit": after(menu(5), "e", "C-Left"),
    "edit-long": after(menu(items=(replace(entry(1), cmdline=LONG),)), "e"),
    "help": after(menu(5, abilities=ALL), "?"),
    "empty": menu(0, message="No disk was found.", timeout_ds=None),
    "in-a-running-system": menu(2, timeout_ds=None, abilities=Abilities(can_shell=False, can_quit=True)),
    "hostile": menu(
        items=(
            replace(entry(1), label=HOSTILE, title=HOSTILE, cmdline=HOSTILE, detail=(HOSTILE,)),
            replace(entry(2), title="漢字 " * 60, indent=4),
            replace(entry(3), title="x" * 300, reasons=("y" * 300,)),
            replace(entry(4), title="e\u0301" * 40),
            replace(entry(5), title=""),
        ),
        message=HOSTILE,
        banner=(HOSTILE, "z" * 300),
        timeout_ds=None,
    ),
}


def picture(frame: Frame) -> str:
    """A frame as a person reads it: `[` marks the selected row, the cursor is told below."""
    rows = [f"{'[' if at == frame.selected_row else '|'}{line}" for at, line in enumerate(frame.lines)]
    return "\n".join([*rows, f"cursor {frame.cursor}", ""])


@pytest.mark.parametrize("name", STATES)
def test_golden(name: str, request: pytest.FixtureRequest) -> None:
    text = ""
    for columns, rows in SIZES:
        text += f"{columns}x{rows}\n{picture(render(sized(STATES[name], columns, rows), columns, rows))}\n"
    file = GOLDENS / f"{name}.txt"
    if request.config.getoption("--regen"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("size", SIZES)
def test_the_last_lines_are_always_the_keys_and_the_status(size: tuple[int, int]) -> None:
    lines = render(sized(menu(40), *size), *size).lines
    assert lines[-2].endswith("? help")
    assert lines[-1].startswith("chainboot: menu re")


@pytest.mark.parametrize("size", SIZES)
def test_the_screen_stands_still_while_a_person_moves(size: tuple[int, int]) -> None:
    state = after(sized(menu(40, timeout_ds=None), *size), "g")
    shapes = set()
    for _ in range(40):
        shapes.add((state.layout(), len(render(state, *size).lines)))
        state = after(state, "j")
    assert len(shapes) == 1


@pytest.mark.parametrize("size", SIZES)
def test_every_line_of_the_help_can_be_reached(size: tuple[int, int]) -> None:
    state = after(sized(menu(), *size), "?")
    seen = ""
    for _ in range(300):
        seen += "\n".join(render(state, *size).lines)
        following = after(state, "Down")
        if following.mode is not state.mode or following == state:
            break
        state = following
    for line in help_text(state.abilities):
        for row in wrap(line, size[0] - 1, 100):
            assert row in seen


# The word that begins the line about what an ability is for.
KEYS = {"can_boot": "Enter", "can_edit": "e", "can_shell": "s", "can_rescan": "r", "can_quit": "q"}


@pytest.mark.parametrize("ability", KEYS)
def test_the_help_has_no_key_that_does_nothing_here(ability: str) -> None:
    without = {each: each != ability for each in KEYS}
    able = Abilities(**without)
    assert {line.split(" ")[0] for line in help_text(ALL)} >= set(KEYS.values())
    gone = {line.split(" ")[0] for line in help_text(ALL)} - {line.split(" ")[0] for line in help_text(able)}
    assert gone - {"While"} == {KEYS[ability]}
    assert ("While" in gone) == (ability == "can_edit"), "what is said about editing"


def test_the_help_of_who_may_only_look() -> None:
    lines = render(after(menu(abilities=LOOKING), "?"), 80, 24).lines
    assert lines[1:9] == (
        "Up, Down, j, k       select the entry above or below",
        "PgUp, PgDn           select a page above or below",
        "Home, End, g, G      select the first or last entry",
        "a number             select this entry",
        "q                    leave the menu, where there is something to go to",
        "Ctrl-L               draw the screen anew",
        "",
        "Any key stops the countdown. On a narrow screen * marks the default, ! what",
    )
    assert "Enter" not in "".join(lines)
    assert help_text(LOOKING)[-1] != ""


def test_keys_that_do_nothing_here_are_not_offered() -> None:
    assert render(menu(abilities=LOOKING), 80, 24).lines[-2] == "q quit  ? help"


def test_scrolling_moves_as_little_as_needed() -> None:
    state = sized(menu(40), 80, 24)
    shown = state.layout().entries
    down = after(state, *["Down"] * shown)
    assert (down.selected, down.top) == (shown, 1)
    up = after(down, *["Up"] * (shown - 1))
    assert (up.selected, up.top) == (1, 1)


def test_a_window_that_grows_is_filled() -> None:
    state = sized(after(sized(menu(40), 80, 10), "G"), 80, 30)
    assert state.top == 40 - state.layout().entries
    assert sized(state, 80, 70).top == 0


def test_what_is_above_and_below_is_told() -> None:
    state = sized(menu(40, timeout_ds=None), 80, 24)
    shown = state.layout().entries
    assert f"      ({40 - shown} more below)" in render(state, 80, 24).lines
    middle = after(state, *["Down"] * 20)
    assert f"      ({21 - shown} more above, 19 more below)" in render(middle, 80, 24).lines
    assert f"      ({40 - shown} more above)" in render(after(state, "G"), 80, 24).lines


def test_every_reason_is_shown() -> None:
    item = replace(entry(3), reasons=("no kernel", "the initrd is a directory"))
    lines = render(menu(items=(item, entry(4)), default=4), 80, 24).lines
    assert "  1  " not in lines
    selected = render(after(menu(items=(entry(4), item), default=4), "j"), 80, 24).lines
    assert "cannot boot: no kernel" in selected
    assert "cannot boot: the initrd is a directory" in selected


def test_text_of_megabytes_is_cut() -> None:
    huge = "x" * 10_000_000
    item = replace(entry(1), label=huge, title=huge, cmdline=huge, detail=(huge,), reasons=(huge,))
    state: ScreenState = menu(items=(item,), message=huge, banner=(huge,))
    for events in ((), ("Enter",)):
        assert all(len(line) <= 79 for line in render(after(state, *events), 80, 24).lines)


@settings(deadline=None)
@given(
    rows=st.integers(1, 100),
    count=st.integers(0, 1000),
    banner=st.integers(0, 10),
    message=st.integers(0, 6),
)
def test_the_parts_fill_the_screen_and_no_more(rows: int, count: int, banner: int, message: int) -> None:
    layout = arrange(rows, entries=count, banner=banner, message=message)
    parts = (
        layout.title,
        layout.title_gap,
        layout.entries,
        layout.more,
        layout.detail_gap,
        layout.detail,
        layout.banner,
        layout.message,
        layout.hints,
    )
    assert min(parts) >= 0
    assert sum(parts) == max(rows - 2, 0)
    if rows >= 6:
        assert layout.title == layout.hints == 1
        assert layout.entries >= 1
        assert layout.message >= min(message, 1)
    if layout.entries + layout.more >= 3:
        assert layout.more == (layout.entries < count)


@settings(deadline=None)
@given(st.text(max_size=200), st.integers(2, 40), st.integers(1, 10))
def test_wrapped_text_is_the_text(text: str, cells: int, limit: int) -> None:
    text = printable(text)
    lines = wrap(text, cells, limit)
    assert len(lines) <= limit
    assert all(width(line) <= cells for line in lines)
    assert "".join(wrap(text, cells, 1000)).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "cells", "limit", "lines"),
    [
        ("", 5, 3, []),
        ("a b c", 5, 3, ["a b c"]),
        ("aa bb cc", 5, 3, ["aa bb", "cc"]),
        ("aaaaaaaa", 5, 3, ["aaaaa", "aaa"]),
        ("a bbbbbbbb", 5, 3, ["a", "bbbbb", "bbb"]),
        ("aa bb cc dd", 5, 1, ["aa b~"]),
        ("漢漢漢", 5, 3, ["漢漢", "漢"]),
        ("0漢0", 2, 2, ["0", "~"]),
    ],
)
def test_wrap(text: str, cells: int, limit: int, lines: list[str]) -> None:
    assert wrap(text, cells, limit) == lines


def test_many_entries_are_drawn_without_looking_at_all_of_them() -> None:
    items = entries(1000)
    state = after(menu(items=items), "G")
    assert any("1000" in line for line in render(state, 80, 24).lines)


def test_the_editor_says_what_was_added_where_there_is_room() -> None:
    state = after(menu(items=(replace(entry(1), note=f"console=ttyS0 was added {HOSTILE}"),)), "e")
    assert render(state, 80, 24).lines[1].startswith("console=ttyS0 was added a\ufffd[2Jb")
    assert not any("was added" in line for line in render(state, 80, 9).lines)
    for rows in range(1, 30):
        frame = render(state, 80, rows)
        assert len(frame.lines) <= max(rows - 1, 0)
        assert frame.cursor is None or frame.cursor[0] < len(frame.lines)
