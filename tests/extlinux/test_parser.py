"""The parser: what a line is, where it stands, and that nothing at all makes it raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainboot.extlinux import parser
from chainboot.extlinux.parser import Comment, Directive, Document, Junk, TextBlock, parse


def directives(data: bytes) -> list[tuple[str, str | None]]:
    return [(node.keyword, node.value) for node in parse(data, "f").nodes if isinstance(node, Directive)]


@pytest.mark.parametrize(
    ("line", "keyword", "value"),
    [
        (b"LABEL nixos-default", "LABEL", "nixos-default"),
        (b"  MENU LABEL NixOS - Default", "MENU LABEL", "NixOS - Default"),
        (b"menu\tlabel\t ^One ", "MENU LABEL", "^One"),
        (b"timeout 50 # five", "TIMEOUT", "50 # five"),
        (b"MENU", "MENU", None),
        (b"PROMPT", "PROMPT", None),
        (b"  INITRD a,b  ", "INITRD", "a,b"),
        (b"APPEND x=\"a  b\" 'c' \\ $d ${e} ;|&", "APPEND", "x=\"a  b\" 'c' \\ $d ${e} ;|&"),
        (b"APPEND root=LABEL=a#b", "APPEND", "root=LABEL=a#b"),
        (b"devicetree-overlay a b", "DEVICETREE-OVERLAY", "a b"),
        (b"prompt0", "PROMPT0", None),
        (b"APPEND caf\xc3\xa9", "APPEND", "café"),
        (b"APPEND \xff", "APPEND", "\udcff"),
        (b"textual healing", "TEXTUAL", "healing"),
        (b"MENU SEPARATOR\r", "MENU SEPARATOR", None),
    ],
)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n  \n"])
def test_a_line_is_a_keyword_and_a_value(line: bytes, keyword: str, value: str | None, end: bytes) -> None:
    assert directives(line + end) == [(keyword, value)]
    assert not parse(line + end, "f").diagnostics


def test_positions_count_lines_and_columns_from_one() -> None:
    (label, append) = parse("# é\n\n\tLABEL  x\n  APPEND\té ü".encode(), "dir/f.conf").nodes[1:]
    assert isinstance(label, Directive)
    assert isinstance(append, Directive)
    assert (str(label.position), label.value_column) == ("dir/f.conf:3:2", 9)
    assert (str(append.position), append.value_column) == ("dir/f.conf:4:3", 10)


def test_comments_stand_on_a_line_of_their_own() -> None:
    nodes = parse(b"  # DEFAULT x\n#\nLABEL a", "f").nodes
    assert [type(node) for node in nodes] == [Comment, Comment, Directive]


def test_text_is_a_block_and_its_lines_are_no_directives() -> None:
    document = parse(b"TEXT HELP\n Default things are nice\n\n  EndText tail\nLINUX k", "f")
    (block, linux) = document.nodes
    assert block == TextBlock(block.position, "TEXT HELP", (" Default things are nice", ""), True)
    assert isinstance(linux, Directive)
    assert not document.diagnostics


@pytest.mark.parametrize("data", [b"LABEL a\nTEXT HELP\nLABEL b\n", b"LABEL a\ntext\n\xc2\xa0endtext"])
def test_text_without_an_end_goes_to_the_end_of_the_file(data: bytes) -> None:
    document = parse(data, "f")
    assert directives(data) == [("LABEL", "a")]
    assert [finding.code for finding in document.diagnostics] == ["unterminated-text"]


def test_endtext_is_the_first_word_of_its_line_whatever_blank_follows() -> None:
    (block, linux) = parse(b"TEXT HELP\nx\nENDTEXT\vtail\nLINUX k", "f").nodes
    assert block == TextBlock(block.position, "TEXT HELP", ("x",), True)
    assert isinstance(linux, Directive)


def test_a_carriage_return_before_endtext_is_no_indent() -> None:
    document = parse(b"TEXT HELP\nx\n\rENDTEXT", "f")
    (block,) = document.nodes
    assert block == TextBlock(block.position, "TEXT HELP", ("x", "\rENDTEXT"), False)
    assert [finding.code for finding in document.diagnostics] == ["unterminated-text"]


def test_keywords_are_ascii() -> None:
    assert directives("L\N{LATIN SMALL LETTER DOTLESS I}NUX k\n\N{KELVIN SIGN}ERNEL k".encode()) == []


def test_junk_is_kept_without_the_blanks_around_it() -> None:
    nodes = parse(b" \t(junk x \r\n\r#\n", "f").nodes
    assert [node.text for node in nodes if isinstance(node, Junk)] == ["(junk x", "\r#"]


@pytest.mark.parametrize(
    ("data", "code", "shown"),
    [
        (b"LABEL a\n(junk\nLABEL b", "no-keyword", "f:2:1: warning: the line starts with no keyword and was left out"),
        (b"LABEL a\nAPP\0END x\nLABEL b", "nul-byte", "f:2:1: error: the line holds a NUL byte and was left out"),
        (b"LABEL a\n  APPEND x\0\nLABEL b", "nul-byte", "f:2:3: error: the line holds a NUL byte and was left out"),
    ],
)
def test_a_damaged_line_costs_itself(data: bytes, code: str, shown: str) -> None:
    document = parse(data, "f")
    assert directives(data) == [("LABEL", "a"), ("LABEL", "b")]
    assert [finding.code for finding in document.diagnostics] == [code]
    assert document.diagnostics[0].format().startswith(shown)
    assert isinstance(document.nodes[1], Junk)


def test_a_diagnostic_shows_the_line_with_a_caret() -> None:
    (finding,) = parse(b"LABEL a\n  (ju\x1b[2Jnk\n", "f").diagnostics
    assert finding.format() == (
        "f:2:3: warning: the line starts with no keyword and was left out [no-keyword]\n"
        "      (ju\N{REPLACEMENT CHARACTER}[2Jnk\n"
        "      ^"
    )


def test_a_carriage_return_inside_a_line_cuts_it() -> None:
    document = parse(b"LINUX a\rb\r\n", "f")
    assert directives(b"LINUX a\rb\r\n") == [("LINUX", "a")]
    assert [finding.code for finding in document.diagnostics] == ["carriage-return"]


def test_a_byte_order_mark_costs_no_line() -> None:
    document = parse(b"\xef\xbb\xbfLABEL a", "f")
    assert [finding.code for finding in document.diagnostics] == ["byte-order-mark"]
    assert directives(b"\xef\xbb\xbfLABEL a") == [("LABEL", "a")]


def test_a_file_that_is_too_large_is_read_to_its_last_whole_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "SIZE_LIMIT", 1024 * 1024)
    document = parse(b"LABEL a\n" * 300_000, "f")
    assert len(document.nodes) == 1024 * 1024 // len(b"LABEL a\n")
    assert document.diagnostics[0].message == (
        "the file is larger than 1 MiB or 250000 lines; only its first 131072 lines were read"
    )


def test_a_file_with_too_many_lines_is_read_to_the_limit() -> None:
    document = parse(b"LABEL a\n" * (parser.LINE_LIMIT + 1), "f")
    assert len(document.nodes) == parser.LINE_LIMIT
    assert [finding.code for finding in document.diagnostics] == ["too-large"]
    assert not parse(b"LABEL a\n" * parser.LINE_LIMIT, "f").diagnostics


def test_an_empty_file_is_an_empty_document() -> None:
    assert parse(b"", "f") == Document("f", (), ())


LINES = st.sampled_from(b"LABEL a/  MENU LABEL b/TEXT HELP/ENDTEXT/# c/(//\t/MENU BEGIN/\0/\xff/x\ry".split(b"/"))


@given(st.binary(max_size=400) | st.lists(LINES, max_size=20).map(b"\n".join))
def test_any_bytes_parse_and_no_line_is_lost(data: bytes) -> None:
    document = parse(data, "f")
    seen: set[int] = set()
    for node in document.nodes:
        length = len(node.lines) + 1 + node.terminated if isinstance(node, TextBlock) else 1
        seen.update(range(node.position.line, node.position.line + length))
    filled = {number for number, line in enumerate(document.lines, 1) if line.strip(" \t\v\f\r\n")}
    assert filled <= seen
    lines = [node.position.line for node in document.nodes]
    assert lines == sorted(set(lines))


@given(st.lists(LINES.filter(lambda line: b"TEXT" not in line), max_size=10), st.integers(0, 10))
def test_a_junk_line_changes_nothing_beside_it(lines: list[bytes], at: int) -> None:
    at = min(at, len(lines))
    with_junk = [*lines[:at], b"(junk", *lines[at:]]
    assert directives(b"\n".join(with_junk)) == directives(b"\n".join(lines))
