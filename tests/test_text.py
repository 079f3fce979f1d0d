"""Text from disks: harmless, measured and cut by terminal cells."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainboot.text import REPLACEMENT, clip, printable, width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("NixOS - Default", "NixOS - Default"),
        ("a\tb", "a b"),
        ("\x1b[2J\x07\x9b", f"{REPLACEMENT}[2J{REPLACEMENT}{REPLACEMENT}"),
        ("a\nb\rc\0", f"a{REPLACEMENT}b{REPLACEMENT}c{REPLACEMENT}"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe", f"{REPLACEMENT}gpj.exe"),
        ("\N{ZERO WIDTH SPACE}\N{LINE SEPARATOR}", REPLACEMENT * 2),
        ("\udcff", REPLACEMENT),
        ("日本 é", "日本 é"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_printable_drives_a_terminal(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(unicodedata.category(char)[0] not in "C" or char == REPLACEMENT for char in shown)
    assert printable(shown) == shown


@pytest.mark.parametrize(("text", "cells"), [("abc", 3), ("日本", 4), ("e\N{COMBINING ACUTE ACCENT}", 1), ("", 0)])
def test_width(text: str, cells: int) -> None:
    assert width(text) == cells


@pytest.mark.parametrize(
    ("text", "cells", "cut"),
    [("abc", 3, "abc"), ("abcd", 3, "ab~"), ("日本語", 4, "日~"), ("日本", 1, "~"), ("abc", 0, ""), ("", 0, "")],
)
def test_clip(text: str, cells: int, cut: str) -> None:
    assert clip(text, cells) == cut


@given(st.text(), st.integers(0, 30))
def test_clip_never_exceeds_its_cells(text: str, cells: int) -> None:
    assert width(clip(printable(text), cells)) <= cells
