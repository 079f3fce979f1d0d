"""The canonical form of a configuration: the same meaning, written in one way.

Keywords in upper case, one blank after them, LF, two blanks of indent inside a label and inside MENU BEGIN, one empty
line before LABEL and MENU BEGIN. Comments, unknown directives and lines that are none keep their place. TEXT bodies,
and what a carriage return hides at the end of a line, stay as they are.

Pure. Knows scope (evaluation.py has the rules) only as far as it shows in the indent; includes are not followed.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.errors import RefusedError
from chainboot.extlinux.difference import Line
from chainboot.extlinux.parser import Comment, Directive, Document, Junk, Node, TextBlock, parse
from chainboot.extlinux.tree import MENU_DEPTH

_INDENT = "  "
_BLANKS = " \t\v\f\r\n"
_BYTE_ORDER_MARK = "\ufeff"

# What closes a label in syslinux's com32/menu/readconfig.c, beside LABEL and MENU BEGIN, which also start a block.
# Global directives (TIMEOUT, DEFAULT, MENU TITLE) inside a label do not close it.
_STARTS = frozenset({"LABEL", "MENU BEGIN"})
_CLOSES = frozenset({"MENU END", "MENU SEPARATOR"})
_INCLUDES = frozenset({"INCLUDE", "MENU INCLUDE"})


@dataclass(frozen=True, slots=True)
class Canonical:
    """A configuration in canonical form: its bytes, and its lines with the lines of the file they stand for."""

    data: bytes
    lines: tuple[Line, ...]


def canonical(data: bytes, name: str) -> Canonical:
    """The canonical form of the file `data`; `name` is what errors call it. Raises `RefusedError`.

    It is the same to every rule of this package, and its own canonical form. Refused is a file that is too large to be
    read whole, before or after.
    """
    document = parse(data, name)
    refuse_oversized(document)
    lines = _Layout(document).lines()
    text = "".join(f"{line.text}\n" for line in lines)
    result = Canonical(text.encode("utf-8", "surrogateescape"), tuple(lines))
    again = parse(result.data, name)
    if _is_oversized(again):
        raise RefusedError(f"{name} was not formatted: with indents and empty lines it would be too large to be read")
    if _substance(again) != _substance(document):
        hint = "this is a bug of chainboot: please report it together with the file"
        raise RefusedError(f"{name} was not formatted: its canonical form would read differently", hint=hint)
    return result


def refuse_oversized(document: Document) -> None:
    """Raise `RefusedError` where only the start of the file was read: what is written would lack the rest."""
    if _is_oversized(document):
        raise RefusedError(f"{document.name} is left as it is: {document.diagnostics[0].message}")


def _is_oversized(document: Document) -> bool:
    return any(diagnostic.code == "too-large" for diagnostic in document.diagnostics)


def _substance(document: Document) -> list[tuple[str | None, ...]]:
    """What the nodes say, without where they stand."""
    return [_said(node) for node in document.nodes]


def _said(node: Node) -> tuple[str | None, ...]:
    if isinstance(node, Directive):
        return ("directive", node.keyword, node.value)
    if isinstance(node, TextBlock):
        return ("text", node.kind, *node.lines)
    return ("comment" if isinstance(node, Comment) else "junk", node.text)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A comment that waits for the node after it. `empty_line` is the last of the empty lines before it, or None."""

    node: Comment
    empty_line: int | None


class _Layout:
    """Walks over the nodes of a document and writes each where it belongs."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._lines: list[Line] = []
        self._comments: list[_Placed] = []
        self._depth = 0
        self._in_label = False
        self._reached = 0  # the last line of the file that was taken in

    def lines(self) -> list[Line]:
        """The lines of the canonical form."""
        for node in self._document.nodes:
            line = node.position.line
            empty_line = line - 1 if line > self._reached + 1 else None
            if isinstance(node, Comment):
                self._comments.append(_Placed(node, empty_line))
                self._reached = line
            else:
                self._place(node, empty_line)
        self._place_comments(starts=False, closes=True, empty_line=None)
        if self._lines and self._lines[0].text.startswith(_BYTE_ORDER_MARK):
            # A second mark made this line junk. At the start of the file it would be taken for the first one.
            self._lines.insert(0, Line("", None))
        return self._lines

    def _place(self, node: Directive | TextBlock | Junk, empty_line: int | None) -> None:
        keyword = node.keyword if isinstance(node, Directive) else ""
        starts = keyword in _STARTS
        closes = starts or keyword in _CLOSES or (isinstance(node, Directive) and _opens_by_tag(node))
        in_label = self._in_label and not closes
        separate = self._place_comments(starts=starts, closes=closes, empty_line=empty_line)
        if separate or (empty_line and not in_label):
            self._separate(empty_line)
        self._in_label = in_label
        if keyword == "MENU END":
            self._depth = max(0, self._depth - 1)
        self._write(node)
        if keyword == "LABEL":
            self._in_label = True
        elif keyword == "MENU BEGIN":
            self._depth += 1

    def _place_comments(self, *, starts: bool, closes: bool, empty_line: int | None) -> bool:
        """Write the comments before a node. True where the node wants an empty line, which no comment has got.

        Comments right above a LABEL belong to it, and so does the empty line before it; comments right below the
        last line of a label belong to that label. Empty lines within a label go: some readers end the label there
        (Heads, tinyboot).
        """
        comments, self._comments = self._comments, []
        if self._in_label and not closes:
            for comment in comments:
                self._write(comment.node)
            return False
        apart = [index for index, comment in enumerate(comments) if comment.empty_line is not None]
        attached = bool(comments) and starts and empty_line is None
        own = 0
        if self._in_label and (apart or not attached):
            own = apart[0] if apart else len(comments)
        for comment in comments[:own]:
            self._write(comment.node)
        self._in_label = False
        head = (apart[-1] if apart else 0) if attached else None
        for index, comment in enumerate(comments[own:], own):
            if comment.empty_line is not None or index == head:
                self._separate(comment.empty_line)
            self._write(comment.node)
        return starts and not attached

    def _separate(self, empty_line: int | None) -> None:
        if self._lines:
            self._lines.append(Line("", empty_line))

    def _write(self, node: Node) -> None:
        # Deeper than the evaluation opens menus there is no more indent: 4 MiB of MENU BEGIN would become gigabytes.
        indent = _INDENT * (min(self._depth, MENU_DEPTH) + self._in_label)
        line = node.position.line
        if isinstance(node, TextBlock):
            self._write_text(node, indent)
            return
        text = self._directive(node) if isinstance(node, Directive) else node.text
        self._lines.append(Line(f"{indent}{text}", line))
        self._reached = line

    def _directive(self, node: Directive) -> str:
        raw = self._document.lines[node.position.line - 1].rstrip(_BLANKS)
        _, carriage_return, hidden = raw.partition("\r")
        return f"{node.keyword}{f' {node.value}' if node.value else ''}{carriage_return}{hidden}"

    def _write_text(self, node: TextBlock, indent: str) -> None:
        line = node.position.line
        end = line + len(node.lines) + 1
        head = "TEXT HELP" if node.kind == "TEXT HELP" else _after(self._document.lines[line - 1], "TEXT")
        self._lines.append(Line(f"{indent}{head}", line))
        self._lines += [Line(text, number) for number, text in enumerate(node.lines, line + 1)]
        tail = _after(self._document.lines[end - 1], "ENDTEXT") if node.terminated else "ENDTEXT"
        self._lines.append(Line(f"{indent}{tail}", end if node.terminated else None))
        self._reached = end


def _opens_by_tag(node: Directive) -> bool:
    """Whether an INCLUDE brackets its file as a submenu: `INCLUDE file tag`."""
    _, _, tag = (node.value or "").replace("\t", " ").partition(" ")
    return node.keyword in _INCLUDES and bool(tag.strip())


def _after(line: str, keyword: str) -> str:
    """The line with its first word written as `keyword`, and one blank between that and the rest."""
    rest = line.strip(_BLANKS)[len(keyword) :].strip(_BLANKS)
    return f"{keyword} {rest}" if rest else keyword
