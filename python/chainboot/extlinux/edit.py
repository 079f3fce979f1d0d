"""New bytes of a configuration in which DEFAULT names another entry, and every other byte is the same.

Pure: other files come through `read_include`. What is returned has been read again and means the entry that was asked
for; what could not be made to mean it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from chainboot.errors import RefusedError, SourcePosition
from chainboot.extlinux.difference import Line
from chainboot.extlinux.entry import BootEntry
from chainboot.extlinux.evaluation import ReadInclude, resolve
from chainboot.extlinux.format import refuse_oversized
from chainboot.extlinux.parser import Comment, Directive, Document, parse
from chainboot.text import first_word

_BLANKS = " \t\v\f\r\n"
_NOWHERE = SourcePosition("", 1, 1)


@dataclass(frozen=True, slots=True)
class Edit:
    """The file after the change. `previous` is the value that DEFAULT had, None where there was none.

    `lines` are its lines with the lines they stand for; `data` is what it was where nothing had to change.
    """

    data: bytes
    previous: str | None
    lines: tuple[Line, ...]


def with_default(
    data: bytes, name: str, entry: int, label: str, read_include: ReadInclude = lambda _name: None
) -> Edit:
    """The file `data` with a DEFAULT that means its entry number `entry`, counted from 0. Raises `RefusedError`.

    `label` is what the caller knows as the label of that entry, from an earlier reading of the file.

    Changed is the value of the DEFAULT that counts, the last one that starts no menu (`*.c32`). Where there is none,
    a line is put in front of the first directive. A DEFAULT in a file that INCLUDE names is not reached from here: if
    it is the one that counts, the change is refused.
    """
    document = parse(data, name)
    refuse_oversized(document)
    included: list[Document] = []

    def read(include: str) -> Document | None:
        found = read_include(include)
        included.extend([found] if found is not None else [])
        return found

    before = resolve(document, read)
    if entry >= len(before.entries) or before.entries[entry].label != label:
        raise RefusedError(f"{name} was not changed: it is not the file any more that {label} was found in")
    target = before.entries[entry]
    _refuse_label(target, entry, before.entries)
    if before.default == entry and before.default_value == target.label:
        return Edit(data, target.label, _same_lines(data))
    edit = _edited(data, document, target.label)
    after = resolve(parse(edit.data, name), read_include)
    if after.default_value != target.label and (elsewhere := _last_default(included)) is not None:
        raise RefusedError(
            f"{name} was not changed: the DEFAULT that counts is at {elsewhere.position}, a file that it includes",
            hint=f"write DEFAULT {target.label} there, or remove the line and try again",
        )
    if after.default != entry or after.default_arguments or _placeless(after.entries) != _placeless(before.entries):
        raise RefusedError(f"{name} was not changed: DEFAULT {target.label} would not be read as that entry")
    return edit


def _refuse_label(target: BootEntry, entry: int, entries: tuple[BootEntry, ...]) -> None:
    label = target.label
    if not label:
        raise RefusedError(f"entry {entry + 1} has no label that DEFAULT could name", position=target.position)
    if label != label.strip(_BLANKS) or any(char in label for char in "\n\r\0"):
        raise RefusedError(f"the label {label} cannot be written into one line", position=target.position)
    first = next(index for index, other in enumerate(entries) if other.label == label)
    if first != entry:
        message = f"DEFAULT {label} would mean entry {first + 1}, which has the same label as entry {entry + 1}"
        raise RefusedError(message, hint="give every entry a label of its own", position=target.position)


def _edited(data: bytes, document: Document, label: str) -> Edit:
    value = label.encode("utf-8", "surrogateescape")
    old = _last_default([document])
    if old is None:
        return _inserted(data, document, value)
    start = _offset(data, document, old.position.line, old.value_column)
    if old.value is None:
        start = _offset(data, document, old.position.line, old.position.column) + len("DEFAULT")
        value = b" " + value
    end = start + len((old.value or "").encode("utf-8", "surrogateescape"))
    changed = data[:start] + value + data[end:]
    return Edit(changed, old.value, _same_lines(changed))


def _inserted(data: bytes, document: Document, value: bytes) -> Edit:
    """The file with a line DEFAULT before its first line that is neither empty nor a comment."""
    first = next(node for node in document.nodes if not isinstance(node, Comment))
    line = first.position.line
    start = _offset(data, document, line, 1)
    line_end = data.find(b"\n")
    ending = b"\r\n" if data[line_end - 1 : line_end] == b"\r" else b"\n"
    changed = data[:start] + b"DEFAULT " + value + ending + data[start:]
    lines = _same_lines(changed)
    shifted = [Line(one.text, one.source - (one.source > line)) for one in lines if one.source is not None]
    shifted[line - 1] = replace(lines[line - 1], source=None)
    return Edit(changed, None, tuple(shifted))


def _last_default(documents: Iterable[Document]) -> Directive | None:
    """The last DEFAULT that names an entry; evaluation.py has the rule."""
    found: Directive | None = None
    for document in documents:
        for node in document.nodes:
            if isinstance(node, Directive) and node.keyword == "DEFAULT" and not _starts_menu(node):
                found = node
    return found


def _starts_menu(node: Directive) -> bool:
    return bool(node.value) and first_word(node.value or "").lower().endswith(".c32")


def _offset(data: bytes, document: Document, line: int, column: int) -> int:
    """Where a place of the document lies in the file, in bytes; columns count characters, without a byte order mark."""
    start = 0
    for _ in range(line - 1):
        start = data.index(b"\n", start) + 1
    if line == 1 and data.startswith(b"\xef\xbb\xbf"):
        start = 3
    return start + len(document.lines[line - 1][: column - 1].encode("utf-8", "surrogateescape"))


def _same_lines(data: bytes) -> tuple[Line, ...]:
    texts = data.decode("utf-8", "surrogateescape").split("\n")
    if not texts[-1]:
        texts.pop()
    return tuple(Line(text, number) for number, text in enumerate(texts, 1))


def _placeless(entries: tuple[BootEntry, ...]) -> list[BootEntry]:
    return [replace(entry, position=_NOWHERE) for entry in entries]
