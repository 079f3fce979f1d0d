"""Console text: what a person would read, searched in order."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainboot_vm.console import Console, readable


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[7m> 1 \x1b[0m", "> 1 "),
        ("\x1b[12;1Htext\x1b[K\r", "text"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("\x1b(Btext", "text"),
        ("\x1b7text\x1b8", "text"),
        ("\x1b[?25l\x1b[6ntext", "text"),
        ("bell\x07 and \x9bcsi", "bell and csi"),
        ("a\tb", "a\tb"),
    ],
)
def test_readable(raw: str, shown: str) -> None:
    assert readable(raw) == shown


@given(st.text())
def test_nothing_that_drives_a_terminal_is_left(text: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", readable(text))


@given(st.lists(st.binary(max_size=12)))
def test_chunks_do_not_matter(chunks: list[bytes]) -> None:
    one, many = Console(), Console()
    one.feed(b"".join(chunks), 0)
    for chunk in chunks:
        many.feed(chunk, 0)
    assert one.lines == many.lines
    assert one.partial == many.partial


def _console(text: bytes) -> Console:
    console = Console()
    console.feed(text, 1.5)
    return console


def test_a_match_consumes_its_lines_and_those_before() -> None:
    console = _console(b"one\ntwo\nthree\n")
    assert console.search(re.compile("two"))
    assert not console.search(re.compile("one|two"))
    assert console.search(re.compile("three"))


def test_a_failed_search_consumes_nothing() -> None:
    console = _console(b"one\n")
    assert not console.search(re.compile("two"))
    assert console.search(re.compile("one"))


@pytest.mark.parametrize("pattern", ["one\ntwo", "one\ntwo\n", "one(?s:.)two$"])
def test_a_pattern_may_span_lines_and_consumes_no_further_one(pattern: str) -> None:
    console = _console(b"one\ntwo\nthree\n")
    assert console.search(re.compile(pattern, re.MULTILINE))
    assert console.search(re.compile("three"))


def test_a_line_without_an_end_is_shown_but_never_matched() -> None:
    console = _console(b"one\n# \x1b[5mpro")
    assert not console.search(re.compile("pro"))
    assert console.partial == "# pro"
    assert console.tail(5) == ("one", "# pro")
    console.feed(b"mpt\n", 2.0)
    assert console.search(re.compile("# prompt"))


def test_a_character_that_is_split_between_reads() -> None:
    console = Console()
    console.feed("ü".encode()[:1], 0)
    console.feed("ü".encode()[1:] + b"\n", 0)
    assert console.search(re.compile("ü"))


def test_the_first_line_of_a_kind_and_its_time() -> None:
    console = _console(b"one\n")
    console.feed(b"one\n", 9.0)
    assert console.search(re.compile("one\none"))
    found = console.first(re.compile("one"))
    assert found is not None
    assert found.seconds == 1.5
    assert console.first(re.compile("two")) is None
