"""The line editor: every key, and what any sequence of keys must keep."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainboot.session.editor import LONGEST, LineEditor, view
from chainboot.text import printable, width


def editor(marked: str) -> LineEditor:
    """An editor from its text with the cursor as `|`."""
    at = marked.index("|")
    text = marked.replace("|", "", 1)
    return LineEditor(text, at, text)


def marked(state: LineEditor) -> str:
    return f"{state.text[: state.cursor]}|{state.text[state.cursor :]}"


@pytest.mark.parametrize(
    ("before", "keys", "expected"),
    [
        ("ab|", "c", "abc|"),
        ("|ab", "x", "x|ab"),
        ("a|b", "é", "aé|b"),
        ("a|b", "Left", "|ab"),
        ("|ab", "Left", "|ab"),
        ("a|b", "Right", "ab|"),
        ("ab|", "Right", "ab|"),
        ("a|b", "C-b", "|ab"),
        ("a|b", "C-f", "ab|"),
        ("ab|cd", "Home", "|abcd"),
        ("ab|cd", "C-a", "|abcd"),
        ("ab|cd", "End", "abcd|"),
        ("ab|cd", "C-e", "abcd|"),
        ("root=a quiet|", "C-Left", "root=a |quiet"),
        ("root=a |quiet", "A-b", "|root=a quiet"),
        ("a   |b", "A-b", "|a   b"),
        ("|root=a quiet", "C-Right", "root=a| quiet"),
        ("root=a| quiet x", "A-f", "root=a quiet| x"),
        ("a\tb|", "C-Left", "a\t|b"),
        ("ab|c", "Backspace", "a|c"),
        ("|abc", "Backspace", "|abc"),
        ("a|bc", "Delete", "a|c"),
        ("a|bc", "C-d", "a|c"),
        ("abc|", "Delete", "abc|"),
        ("a quiet|", "C-w", "a |"),
        ("a quiet |b", "A-Backspace", "a |b"),
        ("|a b", "A-d", "| b"),
        ("a b|c d", "C-u", "|c d"),
        ("a b|c d", "C-k", "a b|"),
        ("a quiet| b", "C-w C-e C-y", "a  bquiet|"),
        ("a| b", "C-y", "a| b"),
        ("ab|cd", "C-k Backspace C-y", "acd|"),
        ("a|b", "Tab", "a |b"),
        ("a|b", "Up", "a|b"),
        ("a|b", "F5", "a|b"),
        ("a|b", "Unknown", "a|b"),
        ("a|b", "\x1b", "a|b"),
        ("a|b", "\u202e", "a|b"),
        ("a|b", "\x85", "a|b"),
    ],
)
def test_a_key(before: str, keys: str, expected: str) -> None:
    state = editor(before)
    for key in [keys] if len(keys) == 1 else keys.split(" "):
        state = state.press(key)
    assert marked(state) == expected
    assert state.original == before.replace("|", "")


def test_what_was_cut_comes_back_as_it_was_even_if_it_could_not_be_typed() -> None:
    assert marked(editor("a\udcff\x1bb|").press("C-u").press("C-y")) == "a\udcff\x1bb|"


def test_changed_means_different_not_touched() -> None:
    state = editor("ab|")
    assert not state.changed
    assert state.press("c").changed
    assert not state.press("c").press("Backspace").changed


def test_the_text_has_an_end() -> None:
    full = LineEditor("x" * LONGEST, 0, "")
    assert full.press("y") == full


@pytest.mark.parametrize(
    ("before", "columns", "rows", "lines", "cursor"),
    [
        (
            "|",
            10,
            3,
            [
                "",
            ],
            (0, 0),
        ),
        ("abc|", 10, 3, ["abc"], (0, 3)),
        ("abcd|", 4, 3, ["abcd", ""], (1, 0)),
        ("abc|d", 4, 3, ["abcd"], (0, 3)),
        ("abcd|e", 4, 3, ["abcd", "e"], (1, 0)),
        ("ab  cd|", 3, 3, ["ab ", " cd", ""], (2, 0)),
        ("a漢字|", 4, 3, ["a漢", "字"], (1, 2)),
        ("a|\x1bb", 9, 3, ["a\ufffdb"], (0, 1)),
        ("|" + "x" * 10, 2, 3, ["xx", "xx", "xx"], (0, 0)),
        ("x" * 10 + "|", 2, 3, ["xx", "xx", ""], (2, 0)),
        ("x" * 5 + "|" + "y" * 5, 2, 3, ["xx", "xy", "yy"], (1, 1)),
    ],
)
def test_the_view(before: str, columns: int, rows: int, lines: list[str], cursor: tuple[int, int]) -> None:
    seen = view(editor(before), columns, rows)
    assert list(seen.rows) == lines
    assert seen.cursor == cursor


NAMES = "Left Right Home End C-Left C-Right Backspace Delete C-w A-d C-u C-k C-y Tab Up a b é 漢 \u0301"
KEYS = st.sampled_from([*NAMES.split(" "), " "])


@settings(deadline=None)
@given(st.text(max_size=80), st.lists(KEYS, max_size=60), st.integers(2, 30), st.integers(1, 5))
def test_any_keys_keep_the_cursor_in_the_text_and_on_the_screen(
    text: str, keys: list[str], columns: int, rows: int
) -> None:
    state = LineEditor(text, len(text), text)
    for key in keys:
        state = state.press(key)
        assert 0 <= state.cursor <= len(state.text)
    assert state.original == text
    seen = view(state, columns, rows)
    assert 1 <= len(seen.rows) <= rows
    assert 0 <= seen.cursor[0] < len(seen.rows)
    assert 0 <= seen.cursor[1] <= columns
    assert all(width(row) <= columns and printable(row) == row for row in seen.rows)


@settings(deadline=None)
@given(st.text(max_size=200), st.integers(2, 30))
def test_the_rows_are_the_text(text: str, columns: int) -> None:
    seen = view(LineEditor(text, 0, text), columns, 1000)
    assert "".join(seen.rows) == printable(text)


def test_a_command_line_of_4096_characters_is_shown_whole() -> None:
    text = ("parameter=value " * 256)[:4096]
    assert "".join(view(LineEditor(text, 4096, text), 79, 60).rows) == text
