"""The canonical form: how it looks, that it means the same, and that it is its own canonical form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nixos import usual_conf

from chainboot.errors import RefusedError, SourcePosition
from chainboot.extlinux import format as formatting
from chainboot.extlinux import parser
from chainboot.extlinux.difference import Line
from chainboot.extlinux.evaluation import _MEANING, resolve
from chainboot.extlinux.format import canonical
from chainboot.extlinux.menu import BootMenu
from chainboot.extlinux.parser import Comment, Directive, Document, TextBlock, parse

CORPUS = Path(__file__).parents[1] / "corpus"


def form(text: str) -> str:
    return canonical(text.encode(), "f").data.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("\n \n\t\r\n", "", id="only empty lines"),
        pytest.param("timeout   50 # five", "TIMEOUT 50 # five\n", id="keyword, blank, final LF"),
        pytest.param("\ufeffDEFAULT a\r\n", "DEFAULT a\n", id="no BOM, no CR"),
        pytest.param("menu \t title  a  b \t\n", "MENU TITLE a  b\n", id="two words, value verbatim"),
        pytest.param("PROMPT 1\n\n\n\nTIMEOUT 5\n", "PROMPT 1\n\nTIMEOUT 5\n", id="empty lines become one"),
        pytest.param(
            "label a\nkernel k\nlabel b\n\n\nkernel k\n\nappend x",
            "LABEL a\n  KERNEL k\n\nLABEL b\n  KERNEL k\n  APPEND x\n",
            id="one empty line before a label and none in it",
        ),
        pytest.param(
            "say hi\n# one\n# two\nlabel a\nlinux k\n",
            "SAY hi\n\n# one\n# two\nLABEL a\n  LINUX k\n",
            id="comments above a label belong to it",
        ),
        pytest.param(
            "label a\nlinux k\n#append x\n\nlabel b\n",
            "LABEL a\n  LINUX k\n  #append x\n\nLABEL b\n",
            id="comments below the last line of a label belong to that label",
        ),
        pytest.param(
            "label a\nlinux k\n#append x\n\n# section\n\n\n# b\nlabel b\n",
            "LABEL a\n  LINUX k\n  #append x\n\n# section\n\n# b\nLABEL b\n",
            id="a section heading between labels",
        ),
        pytest.param("label a\n# c\nlabel b", "LABEL a\n\n# c\nLABEL b\n", id="a comment between labels"),
        pytest.param("label a\n\n# c\n\nlinux k", "LABEL a\n  # c\n  LINUX k\n", id="a comment inside a label"),
        pytest.param("label a\n#c\n\n#end", "LABEL a\n  #c\n\n#end\n", id="comments at the end"),
        pytest.param(
            "menu begin m\nmenu title t\nlabel a\nlinux k\nmenu end\nappend g\n",
            "MENU BEGIN m\n  MENU TITLE t\n\n  LABEL a\n    LINUX k\nMENU END\nAPPEND g\n",
            id="a submenu",
        ),
        pytest.param("menu end\nmenu begin\nsay x\n", "MENU END\n\nMENU BEGIN\n  SAY x\n", id="MENU END without BEGIN"),
        pytest.param(
            "label a\ntimeout 5\nappend x\nmenu separator\nappend g\n",
            "LABEL a\n  TIMEOUT 5\n  APPEND x\nMENU SEPARATOR\nAPPEND g\n",
            id="a global does not close a label, a separator does",
        ),
        pytest.param(
            "label a\ninclude x\nappend y\ninclude x tag\nappend g\n",
            "LABEL a\n  INCLUDE x\n  APPEND y\nINCLUDE x tag\nAPPEND g\n",
            id="an include with a tag closes a label",
        ),
        pytest.param(
            "label a\ntext help\n  Body  \n\n endtext tail \nlinux k\n",
            "LABEL a\n  TEXT HELP\n  Body  \n\n  ENDTEXT tail\n  LINUX k\n",
            id="a text body is verbatim",
        ),
        pytest.param("text  other\tx\nendtext\n", "TEXT other\tx\nENDTEXT\n", id="another kind of text"),
        pytest.param("label a\ntext help\nbody\n\n", "LABEL a\n  TEXT HELP\nbody\n  ENDTEXT\n", id="text without end"),
        pytest.param("text help\r\nbody\r\n\r\nendtext\r\n", "TEXT HELP\nbody\n\nENDTEXT\n", id="text with CRLF"),
        pytest.param("label a\n (junk \t\n  9 x\n", "LABEL a\n  (junk\n  9 x\n", id="lines that are no directive"),
        pytest.param("label a\nwhatever  x  y\n", "LABEL a\n  WHATEVER x  y\n", id="an unknown directive"),
        pytest.param("linux a \rb\r\n", "LINUX a\rb\n", id="what a carriage return hides is not lost"),
        pytest.param("linux\rb\n", "LINUX\rb\n", id="a carriage return that hides the value"),
        pytest.param("label a\nappend x\0\n", "LABEL a\n  append x\0\n", id="a NUL"),
    ],
)
def test_the_canonical_form(before: str, after: str) -> None:
    assert form(before) == after
    assert form(after) == after


def test_bytes_that_are_not_utf8_stay() -> None:
    assert canonical(b"append \xff\xc3 \xa9\n#\xfe", "f").data == b"APPEND \xff\xc3 \xa9\n#\xfe\n"


def test_a_second_byte_order_mark_does_not_become_the_first() -> None:
    data = canonical("\n\ufefflabel a\n".encode(), "f").data
    assert data == "\n\ufefflabel a\n".encode()
    assert canonical(data, "f").data == data
    assert not resolve(parse(data, "f")).entries


def test_what_nixos_writes_is_canonical() -> None:
    assert form(usual_conf()) == usual_conf()
    files = sorted(CORPUS.glob("nixos-*/**/extlinux.conf"))
    assert len(files) > 5
    for file in files:
        assert canonical(file.read_bytes(), file.name).data == file.read_bytes(), file


def test_every_line_knows_the_line_it_stands_for() -> None:
    lines = canonical(b"\n\nlabel a\n\nlinux k\nlabel b\ntext help\nx", "f").lines
    assert lines == (
        Line("LABEL a", 3),
        Line("  LINUX k", 5),
        Line("", None),
        Line("LABEL b", 6),
        Line("  TEXT HELP", 7),
        Line("x", 8),
        Line("  ENDTEXT", None),
    )


def test_a_file_that_is_too_large_to_be_read_is_refused() -> None:
    data = b"say x\n" * (parser.LINE_LIMIT + 1)
    with pytest.raises(RefusedError, match=r"^f is left as it is: the file is larger than 8 MiB or 250000 lines; only"):
        canonical(data, "f")


def test_a_file_that_would_be_too_large_is_refused() -> None:
    data = b"label x\n" * (parser.LINE_LIMIT - 1)
    sentence = "f was not formatted: with indents and empty lines it would be too large to be read"
    with pytest.raises(RefusedError, match=f"^{sentence}$"):
        canonical(data, "f")


def test_indent_is_bounded() -> None:
    data = b"menu begin\n" * 20_000
    assert len(canonical(data, "f").data) < 10 * len(data)


def test_a_form_that_would_read_differently_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formatting._Layout, "lines", lambda _self: [Line("LABEL b", 1)])
    with pytest.raises(RefusedError, match=r"^f was not formatted: its canonical form would read differently$"):
        canonical(b"LABEL a\n", "f")


# properties

INCLUDES = {"open.cfg": b"LABEL open\nLINUX k", "menu.cfg": b"MENU TITLE m\nDEFAULT open", "self": b"INCLUDE self t"}


def read_include(name: str) -> Document | None:
    return parse(INCLUDES[name], name) if name in INCLUDES else None


NOWHERE = SourcePosition("", 1, 1)
CURED = ("byte-order-mark", "unterminated-text")


def meaning(data: bytes) -> tuple[BootMenu, list[str]]:
    """What a file means without where it stands, and what is wrong with it but for what the canonical form cures."""
    menu = resolve(parse(data, "f"), read_include)
    entries = tuple(replace(entry, position=NOWHERE) for entry in menu.entries)
    codes = [finding.code for finding in menu.diagnostics if finding.code not in CURED]
    return replace(menu, entries=entries, diagnostics=()), codes


def nodes(data: bytes) -> list[tuple[str | None, ...]]:
    return [
        (node.keyword, node.value)
        if isinstance(node, Directive)
        else (node.kind, *node.lines)
        if isinstance(node, TextBlock)
        else ("#" if isinstance(node, Comment) else "?", node.text)
        for node in parse(data, "f").nodes
    ]


BLANKS = st.sampled_from(["", " ", "\t", " \t ", "\v", "\f", "   "])
SEPARATORS = st.sampled_from([" ", "  ", "\t", " \v"])
KEYWORDS = st.sampled_from(sorted({*_MEANING, "SAY", "MENU", "MENU 9", "LıNUX", "TEXT HELP", "TEXT", "ENDTEXT"}))
VALUES = st.sampled_from(
    [
        "", "a", "b", "a b", "A  b\tc", "-", "0", "50 # x", "menu.c32", "^k initrd=i", "help",
        "open.cfg", "open.cfg tag", "menu.cfg\tt", "self", "none.cfg t",
        "x\ry", "\rz", "\r", "\0", "x\0\ry", "#c", "\udcff\udcc3", "\ufeff", "\x85", "\xa0",
    ]
)  # fmt: skip
ODD = st.sampled_from(
    ["", " ", "\t\r", "# c", "  #\tc\r", "#", "(j", "\rLABEL a", "\ufeffLABEL a", "\rENDTEXT", "9", "\0", "\r#"]
)
DIRECTIVES = st.builds(
    lambda indent, keyword, lower, gap, value, tail: (
        indent + (keyword.lower() if lower else keyword).replace(" ", gap) + (gap + value if value else "") + tail
    ),
    BLANKS, KEYWORDS, st.booleans(), SEPARATORS, VALUES, BLANKS,
)  # fmt: skip
LINES = st.lists(DIRECTIVES | ODD, max_size=25)
ENDS = st.sampled_from(["\n", "\r\n", "\r\r\n", "\n\n", "\n \n\n"])


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """Lines of every kind with any line end, with or without BOM and final LF."""
    text = "".join(line + draw(ENDS) for line in draw(LINES))
    text = draw(st.sampled_from(["", "\ufeff", "\n", "\ufeff\ufeff"])) + text
    return (text + draw(st.sampled_from(["", "LABEL last", "TEXT", "ENDTEXT\r"]))).encode("utf-8", "surrogateescape")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real file with some bytes changed, lines swapped or left out."""
    data = usual_conf().encode()
    for _ in range(draw(st.integers(0, 12))):
        at = draw(st.integers(0, len(data)))
        insert = draw(st.binary(max_size=3) | st.sampled_from([b"\n", b"\r", b"\0", b"TEXT HELP\n", b"MENU BEGIN\n"]))
        data = data[:at] + insert + data[at + draw(st.integers(0, 40)) :]
    return data


@settings(deadline=None)
@given(written() | mutated() | st.binary(max_size=300))
@example(b"TEXT HELP\nx\n\rENDTEXT")
@example(b"TEXT HELP\nx\nENDTEXT\vtail\nLABEL a")
@example(b"LABEL a\n  (junk \r\n\rLINUX k\r\n")
def test_the_canonical_form_means_the_same_and_is_canonical(data: bytes) -> None:
    result = canonical(data, "f").data
    assert nodes(result) == nodes(data)
    assert meaning(result) == meaning(data)
    assert canonical(result, "f").data == result


@settings(deadline=None)
@given(written() | mutated())
def test_the_canonical_form_is_clean_where_nothing_is_verbatim(data: bytes) -> None:
    document = parse(canonical(data, "f").data, "f")
    verbatim = {
        line
        for node in document.nodes
        if isinstance(node, TextBlock)
        for line in range(node.position.line, node.position.line + len(node.lines) + 2)
    }
    previous = "x"
    for number, line in enumerate(document.lines, 1):
        if number not in verbatim:
            assert line == line.rstrip(" \t\v\f\r"), line
            assert line or previous or number == 2, "two empty lines"
        previous = line
