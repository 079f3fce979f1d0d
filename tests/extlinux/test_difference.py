"""The diff that `fmt --check` and `set-default --dry-run` show."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainboot.extlinux.difference import Line, unified
from chainboot.extlinux.format import canonical


def shown(before: str) -> str:
    data = before.encode()
    return unified("f", data, canonical(data, "f").lines)


def test_nothing_is_shown_where_nothing_differs() -> None:
    assert shown("DEFAULT a\n\nLABEL a\n") == ""
    assert shown("") == ""


def test_hunks_have_three_lines_of_context() -> None:
    lines = [f"SAY {number}" for number in range(1, 31)]
    lines[4], lines[10], lines[29] = "say 5", "SAY 11 ", "say 30"
    assert shown("\n".join(lines)).splitlines() == [
        "--- f",
        "+++ f (new)",
        "@@ -2,13 +2,13 @@",
        " SAY 2", " SAY 3", " SAY 4", "-say 5", "+SAY 5", " SAY 6", " SAY 7", " SAY 8", " SAY 9", " SAY 10",
        "-SAY 11 ", "+SAY 11", " SAY 12", " SAY 13", " SAY 14",
        "@@ -27,4 +27,4 @@",
        " SAY 27", " SAY 28", " SAY 29", "-say 30", "\\ No newline at end of file", "+SAY 30",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "rows"),
    [
        ("LABEL a\nLABEL b\n", ["@@ -1,2 +1,3 @@", " LABEL a", "+", " LABEL b"]),
        ("\n\nSAY x\n", ["@@ -1,3 +1 @@", "-", "-", " SAY x"]),
        ("\n", ["@@ -1 +0,0 @@", "-"]),
        ("SAY x\n\n \n\nSAY y\n", ["@@ -1,5 +1,3 @@", " SAY x", "-", "- ", " ", " SAY y"]),
        ("SAY x", ["@@ -1 +1 @@", "-SAY x", "\\ No newline at end of file", "+SAY x"]),
        ("SAY \x1b[2J\r\n", ["@@ -1 +1 @@", "-SAY \ufffd[2J\ufffd", "+SAY \ufffd[2J"]),
        (
            "menu  passwd secret\nMENU MASTER PASSWD  secret\r\n",
            [
                "@@ -1,2 +1,2 @@",
                "-menu  passwd (password)",
                "-MENU MASTER PASSWD (password)",
                "+MENU PASSWD (password)",
                "+MENU MASTER PASSWD (password)",
            ],
        ),
    ],
)
def test_what_is_shown(before: str, rows: list[str]) -> None:
    assert shown(before).splitlines()[2:] == rows


def test_a_new_text_without_a_final_newline_says_so() -> None:
    assert unified("f", b"a\n", (Line("a", 1),), final_newline=False).splitlines()[2:] == [
        "@@ -1 +1 @@",
        "-a",
        "+a",
        "\\ No newline at end of file",
    ]
    assert unified("f", b"a", (Line("a", 1),), final_newline=False) == ""


TEXTS = st.lists(st.sampled_from(["LABEL a", "label b", "  LINUX k", "LINUX k", "", " ", "# c", "TEXT HELP", "x y"]))


@settings(deadline=None)
@given(TEXTS)
def test_a_diff_says_how_the_one_becomes_the_other(texts: list[str]) -> None:
    data = "".join(f"{text}\n" for text in texts).encode()
    form = canonical(data, "f")
    rows = unified("f", data, form.lines).splitlines()
    kept = [row for row in rows if row[:1] in ("-", "+", " ") and row not in ("--- f", "+++ f (new)")]
    assert (not rows) == (form.data == data)
    # difflib finds its own hunks; what both remove and add must come to the same, line for line.
    new = form.data.decode().splitlines()
    assert len(new) - len(texts) == sum(row[0] == "+" for row in kept) - sum(row[0] == "-" for row in kept)
    assert bool(list(difflib.unified_diff(texts, new))) == bool(rows)
    assert apply(texts, rows) == new


def apply(old: list[str], rows: list[str]) -> list[str]:
    """What patch(1) makes of `old`."""
    new: list[str] = []
    at = 0
    for row in rows[2:]:
        if row.startswith("@@"):
            start, _, count = row.split()[1][1:].partition(",")
            first = int(start) - (count != "0")
            new += old[at:first]
            assert row.split()[2][1:].split(",")[0] == str(len(new) + (row.split()[2][-2:] != ",0"))
            at = first
        elif row[0] == "+":
            new.append(row[1:])
        else:
            assert old[at] == row[1:]
            at += 1
            new += [row[1:]] if row[0] == " " else []
    return new + old[at:]
