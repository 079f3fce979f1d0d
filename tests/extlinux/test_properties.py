"""Properties of reading, over texts made from the grammar itself and over damaged fixtures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lark
from fuzz.parser_target import SEPARATOR, one_input
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark

from chainboot import extlinux
from chainboot.errors import SourcePosition
from chainboot.extlinux.entry import BootEntry
from chainboot.extlinux.evaluation import resolve
from chainboot.extlinux.menu import BootMenu
from chainboot.extlinux.parser import Comment, Directive, TextBlock, parse

GRAMMAR = lark.Lark.open("grammar.lark", rel_to=extlinux.__file__, parser="lalr", lexer="contextual")
FIXTURES = sorted(
    path.read_bytes()
    for path in (Path(__file__).parents[1] / "corpus").rglob("*")
    if path.suffix in (".conf", ".cfg") and path.stat().st_size
)

# The words that mean something, so that what the grammar makes is more than unknown keywords.
WORDS = st.sampled_from(
    [
        "LABEL a",
        "label b c",
        "MENU LABEL ^One",
        "LINUX k",
        "KERNEL m.c32",
        "INITRD x,y",
        "APPEND initrd=z ${v}",
        "APPEND -",
        "DEFAULT a",
        "DEFAULT b c d",
        "TIMEOUT 50",
        "TIMEOUT -10",
        "TIMEOUT 0x",
        "MENU BEGIN t",
        "MENU END",
        "MENU TITLE T",
        "MENU SEPARATOR",
        "MENU HIDE",
        "MENU DISABLE",
        "MENU DEFAULT",
        "MENU START",
        "MENU GOTO t",
        "MENU EXIT",
        "MENU PASSWD p",
        "INCLUDE f",
        "MENU INCLUDE f g",
        "ONTIMEOUT b",
        "SYSAPPEND 0x3",
        "UI menu.c32",
        "PROMPT 1",
        "FDT -",
        "FDTDIR d",
        "FDTOVERLAYS a b",
        "SAY hi",
        "TEXT HELP",
        "ENDTEXT",
        "# c",
        "(junk",
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", " \n", "\n\n", "\n  \n"])
LINES = st.lists(st.tuples(WORDS, ENDS).map("".join), max_size=25)

LENIENT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@LENIENT
@given(from_lark(GRAMMAR, alphabet=st.characters(codec="utf-8")))
def test_what_the_grammar_makes_is_read(text: str) -> None:
    one_input(text.encode())
    GRAMMAR.parse(text)


@settings(max_examples=300, deadline=None)
@given(LINES, st.lists(LINES, max_size=2))
def test_any_order_of_directives_is_read(lines: list[str], included: list[list[str]]) -> None:
    one_input(SEPARATOR.join("".join(part).encode() for part in (lines, *included)))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A fixture with a piece cut out, doubled, or replaced by other bytes."""
    data = draw(st.sampled_from(FIXTURES))
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 200)))
    piece = draw(st.sampled_from([b"", data[start:end] * 2]) | st.binary(max_size=20))
    return data[:start] + piece + data[end:]


@settings(max_examples=300, deadline=None)
@given(damaged())
def test_a_damaged_fixture_is_read(data: bytes) -> None:
    one_input(data)


@settings(max_examples=300, deadline=None)
@given(damaged() | LINES.map(lambda lines: "".join(lines).encode()))
def test_positions_are_true_and_in_order(data: bytes) -> None:
    document = parse(data, "f")
    last = 0
    for node in document.nodes:
        assert node.position.line > last
        last = node.position.line
        rest = document.lines[node.position.line - 1][node.position.column - 1 :]
        if isinstance(node, Directive):
            words = len(node.keyword.split(" "))
            assert rest.upper().split(None, words)[:words] == node.keyword.split(" ")
            if node.value is not None:
                line = document.lines[node.position.line - 1]
                assert line[node.value_column - 1 :].startswith(node.value)
        elif isinstance(node, TextBlock):
            assert rest[:4].upper() == "TEXT"
        elif isinstance(node, Comment):
            assert rest.startswith("#")


JUNK = "(not a directive"


def menu_of(lines: list[str]) -> BootMenu:
    return resolve(parse("".join(lines).encode(), "f"))


def moved(entry: BootEntry, at: int) -> BootEntry:
    """The entry as it is once a line was put in before line `at` (from 1), and without what it keeps of that line."""
    line = entry.position.line
    position = SourcePosition(entry.position.file, line + (line >= at), entry.position.column)
    return replace(entry, position=position, unknown=tuple(text for text in entry.unknown if text != JUNK))


@settings(max_examples=300, deadline=None)
@given(LINES.filter(lambda lines: "TEXT" not in "".join(lines)), st.data())
def test_a_junk_line_changes_no_entry(lines: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(lines)))
    before, after = menu_of(lines), menu_of([*lines[:at], f"{JUNK}\n", *lines[at:]])
    line = "".join(lines[:at]).count("\n") + 1
    assert [moved(entry, line) for entry in before.entries] == [moved(entry, 1 << 40) for entry in after.entries]
    assert before.menus == after.menus
    assert (before.default, before.default_arguments) == (after.default, after.default_arguments)
    assert len(after.diagnostics) == len(before.diagnostics) + 1


@settings(max_examples=100, deadline=None)
@given(LINES)
def test_entries_stand_in_file_order_at_their_labels(lines: list[str]) -> None:
    document = parse("".join(lines).encode(), "f")
    labels = [
        (node.position, node.value or "")
        for node in document.nodes
        if isinstance(node, Directive) and node.keyword == "LABEL"
    ]
    assert [(entry.position, entry.label) for entry in resolve(document).entries] == labels
