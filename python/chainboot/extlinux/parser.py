"""Bytes of a configuration to a `Document` of positioned nodes.

Total: never raises on content. Knows what a line looks like (grammar.lark), not what it means (menu.py).
The rules and where readers disagree about them are from syslinux `doc/syslinux.txt`, `doc/menu.txt` and
`com32/menu/readconfig.c`, and from U-Boot `boot/pxe_utils.c`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from chainboot.errors import Diagnostic, Severity, SourcePosition

if TYPE_CHECKING:
    import re

    from lark import Lark, Token

# U-Boot's bootstd stops at 64 KiB, syslinux nowhere. NixOS writes some 600 bytes and 6 lines per generation, so this
# holds more than 10,000 of them: larger is no configuration but a mistake or an attack.
SIZE_LIMIT = 8 * 1024 * 1024

# Memory and time go with lines, not bytes: 8 MiB of empty labels would be a million entries.
LINE_LIMIT = 250_000

# More than any timeout or mask has.
_LARGEST = 999_999_999

_INDENT = " \t\v\f"
_BLANKS = f"{_INDENT}\r\n"


@dataclass(frozen=True, slots=True)
class Directive:
    """`KEYWORD value`. The keyword is upper case, one blank inside (`MENU LABEL`).

    `value` has no blanks at its ends and is verbatim inside; None where nothing follows the keyword.
    """

    position: SourcePosition
    keyword: str
    value: str | None
    value_column: int


@dataclass(frozen=True, slots=True)
class TextBlock:
    """`TEXT HELP` to `ENDTEXT`: lines for a person, as they stand in the file."""

    position: SourcePosition
    kind: str
    lines: tuple[str, ...]
    terminated: bool


@dataclass(frozen=True, slots=True)
class Comment:
    """A line whose first character is `#`."""

    position: SourcePosition
    text: str


@dataclass(frozen=True, slots=True)
class Junk:
    """A line that is no directive: kept, without the blanks around it, so that nothing is lost, and reported."""

    position: SourcePosition
    text: str


Node = Directive | TextBlock | Comment | Junk


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file as it stands: nodes in file order, its lines, and what is wrong with its text."""

    name: str
    nodes: tuple[Node, ...]
    lines: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    def diagnostic(
        self, severity: Severity, code: str, message: str, position: SourcePosition, hint: str | None = None
    ) -> Diagnostic:
        """A finding about a place in this document, with the line it is about."""
        line = self.lines[position.line - 1] if 0 < position.line <= len(self.lines) else None
        return Diagnostic(severity, code, message, position, line, hint)


def parse(data: bytes, name: str) -> Document:
    """The document in `data`; `name` is the file name that positions and diagnostics carry.

    UTF-8, with bytes that are not UTF-8 kept by surrogateescape, so that they reach the kernel unchanged.
    """
    diagnostics: list[Diagnostic] = []
    whole = len(data)
    data = data[: data.rfind(b"\n", 0, SIZE_LIMIT) + 1] if whole > SIZE_LIMIT else data
    if data.count(b"\n") > LINE_LIMIT:
        data = b"\n".join(data.split(b"\n", LINE_LIMIT)[:LINE_LIMIT]) + b"\n"
    if len(data) < whole:
        diagnostics.append(_oversized(name, data.count(b"\n")))
    text = data.decode("utf-8", "surrogateescape")
    if text.startswith("\ufeff"):
        text = text[1:]
        message = "the file starts with a byte order mark"
        hint = "syslinux and U-Boot lose the first line of this file; save it without a BOM"
        diagnostics.append(
            Diagnostic(Severity.WARNING, "byte-order-mark", message, SourcePosition(name, 1, 1), None, hint)
        )
    lines = text.split("\n")
    if lines[-1]:
        text += "\n"  # many real files lack the final LF; the grammar wants every line to have one
    else:
        lines.pop()
    bare = Document(name, (), tuple(lines))
    nodes = _Reader(bare, diagnostics).read(text)
    return Document(name, nodes, bare.lines, tuple(diagnostics))


def _oversized(name: str, lines: int) -> Diagnostic:
    limits = f"{SIZE_LIMIT // 1024 // 1024} MiB or {LINE_LIMIT} lines"
    message = f"the file is larger than {limits}; only its first {lines} lines were read"
    hint = "is this a configuration at all?"
    return Diagnostic(Severity.ERROR, "too-large", message, SourcePosition(name, 1, 1), None, hint)


@cache
def _lark() -> Lark:
    import lark  # late: only who parses pays for it

    return lark.Lark.open("grammar.lark", rel_to=__file__, parser="lalr", lexer="contextual")


@cache
def _directive_pattern() -> re.Pattern[str]:
    """The grammar's own DIRECTIVE, with its groups `keyword` and `value`."""
    import re

    (terminal,) = (terminal for terminal in _lark().terminals if terminal.name == "DIRECTIVE")
    return re.compile(terminal.pattern.to_regexp())


class _Reader:
    """Turns the lines that the grammar has told apart into nodes, and notes what is wrong on the way."""

    def __init__(self, document: Document, diagnostics: list[Diagnostic]) -> None:
        self._document = document
        self._diagnostics = diagnostics

    def read(self, text: str) -> tuple[Node, ...]:
        """The nodes of `text`, in file order."""
        match = _directive_pattern().match
        nodes: list[Node] = []
        for token in cast("list[Token]", _lark().parse(text).children):
            if token.type == "DIRECTIVE":
                found = match(token)
                assert found is not None  # the lexer matched the same pattern
                nodes.append(self._directive(token, found))
            elif token.type == "COMMENT":
                nodes.append(Comment(self._position(token), token.strip(_BLANKS)))
            elif token.type == "TEXT_BLOCK":
                nodes.append(self._text_block(token))
            else:
                nodes.append(self._junk(self._position(token), token))
        return tuple(nodes)

    def _position(self, token: Token) -> SourcePosition:
        indent = len(token) - len(token.lstrip(_BLANKS))
        return SourcePosition(self._document.name, token.line or 1, 1 + indent)

    def _directive(self, line: Token, found: re.Match[str]) -> Node:
        start = found.start("keyword")
        position = SourcePosition(self._document.name, line.line or 1, start + 1)
        keyword, value = found["keyword"].upper(), found["value"].rstrip(_BLANKS)
        if "\0" in value:
            return self._junk(position, line)
        if not keyword.isalnum():  # MENU LABEL, or a word with - or _
            keyword = " ".join(keyword.split())
        if "\r" in value:  # syslinux cuts a line at its first CR
            value, _, lost = value.partition("\r")
            value = value.rstrip(_BLANKS)
            self._warn("carriage-return", f"a carriage return inside the line hides {len(lost)} characters", position)
        column = found.start("value") + 1 if value else position.column
        return Directive(position, keyword, value or None, column)

    def _text_block(self, block: Token) -> TextBlock:
        position = self._position(block)
        first, *body = block.rstrip("\n").split("\n")
        terminated = bool(body) and _ends_text(body[-1])
        if terminated:
            body.pop()
        else:
            self._warn("unterminated-text", "TEXT has no ENDTEXT; everything after it was taken as help text", position)
        kind = " ".join(first.split()).upper()
        return TextBlock(position, kind, tuple(line.rstrip("\r") for line in body), terminated)

    def _junk(self, position: SourcePosition, text: str) -> Junk:
        if "\0" in text:
            severity, code, why = Severity.ERROR, "nul-byte", "holds a NUL byte"
        else:
            severity, code, why = Severity.WARNING, "no-keyword", "starts with no keyword"
        message = f"the line {why} and was left out"
        self._diagnostics.append(self._document.diagnostic(severity, code, message, position))
        return Junk(position, text.lstrip(_INDENT).rstrip(_BLANKS))

    def _warn(self, code: str, message: str, position: SourcePosition) -> None:
        self._diagnostics.append(self._document.diagnostic(Severity.WARNING, code, message, position))


def _ends_text(line: str) -> bool:
    """Whether a line is ENDTEXT, by the rule of the grammar: a CR is no indent, and any separator ends the word."""
    text = line.lstrip(_INDENT)
    return text[:7].lower() == "endtext" and text[7:8] in ("", *_BLANKS)


def integer(value: str | None, *, base: int = 10) -> int | None:
    """The leading integer of a value, its tail ignored, as C's atoi and strtoul read it; None without digits.

    With `base` 0 a prefix chooses the base, as in C: 0x16, 026 and 22 are the same.
    """
    text = (value or "").lstrip(_BLANKS)
    sign = -1 if text.startswith("-") else 1
    text = text.lstrip("+-")[:20].lower() if text[:1] in ("+", "-") else text[:20].lower()
    if base == 0:
        base, text = (16, text[2:]) if text.startswith("0x") else (8, text) if text.startswith("0") else (10, text)
    allowed = "0123456789abcdef"[:base]
    end = next((place for place, char in enumerate(text) if char not in allowed), len(text))
    return sign * min(int(text[:end], base), _LARGEST) if end else None
