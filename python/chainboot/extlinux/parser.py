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
    from lark import Lark, Token, Tree

# U-Boot's bootstd stops at 64 KiB, syslinux nowhere. NixOS writes about 600 bytes per generation, so this is
# some 7,000 of them: larger is no configuration but a mistake or an attack.
SIZE_LIMIT = 4 * 1024 * 1024

_BLANKS = " \t\v\f\r\n"


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
    """A line that is no directive: kept, so that nothing is lost, and reported."""

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
    if len(data) > SIZE_LIMIT:
        data = data[: data.rfind(b"\n", 0, SIZE_LIMIT) + 1]
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
    message = f"the file is larger than {SIZE_LIMIT // 1024 // 1024} MiB; only its first {lines} lines were read"
    return Diagnostic(
        Severity.ERROR, "too-large", message, SourcePosition(name, 1, 1), None, "is this a configuration at all?"
    )


@cache
def _lark() -> Lark:
    import lark  # late: only who parses pays for it

    return lark.Lark.open("grammar.lark", rel_to=__file__, parser="lalr", lexer="contextual")


class _Reader:
    """Turns the parse tree of one document into nodes, and notes what is wrong on the way."""

    def __init__(self, document: Document, diagnostics: list[Diagnostic]) -> None:
        self._document = document
        self._diagnostics = diagnostics

    def read(self, text: str) -> tuple[Node, ...]:
        """The nodes of `text`, in file order."""
        nodes: list[Node] = []
        trees = cast("list[Tree[Token]]", _lark().parse(text).children)
        for tree in trees:
            rule, tokens = tree.data, cast("list[Token]", tree.children)
            if rule == "directive":
                nodes.append(self._directive(tokens[0], tokens[1]))
            elif rule == "comment":
                nodes.append(Comment(self._position(tokens[0]), tokens[0].strip(_BLANKS)))
            elif rule == "text_block":
                nodes.append(self._text_block(tokens[0]))
            else:
                nodes.append(self._junk(self._position(tokens[0]), tokens[0]))
        return tuple(nodes)

    def _position(self, token: Token) -> SourcePosition:
        indent = len(token) - len(token.lstrip(_BLANKS))
        return SourcePosition(self._document.name, token.line or 1, (token.column or 1) + indent)

    def _directive(self, keyword: Token, value: Token) -> Node:
        position = self._position(keyword)
        if "\0" in value:
            return self._junk(position, keyword + value)
        word = keyword.strip(_BLANKS)
        if " " in word or "\t" in word or "\v" in word or "\f" in word:
            word = " ".join(word.split())
        stripped = value.strip(_BLANKS)
        column = (value.column or 1) + len(value) - len(value.lstrip(_BLANKS)) if stripped else position.column
        if "\r" in stripped:  # syslinux cuts a line at its first CR
            stripped, _, lost = stripped.partition("\r")
            stripped = stripped.rstrip(_BLANKS)
            self._warn("carriage-return", f"a carriage return inside the line hides {len(lost)} characters", position)
        return Directive(position, word.upper(), stripped or None, column)

    def _text_block(self, block: Token) -> TextBlock:
        position = self._position(block)
        first, *body = block.rstrip("\n").split("\n")
        terminated = bool(body) and _first_word(body[-1]) == "endtext"
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
        return Junk(position, text.rstrip("\n"))

    def _warn(self, code: str, message: str, position: SourcePosition) -> None:
        self._diagnostics.append(self._document.diagnostic(Severity.WARNING, code, message, position))


def _first_word(line: str) -> str:
    """The first word of a line, in lower case."""
    words = line.strip(_BLANKS).replace("\t", " ").split(" ", 1)
    return words[0].lower()
