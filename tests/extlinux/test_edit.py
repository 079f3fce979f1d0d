"""DEFAULT changed in place: which bytes change, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nixos import usual_conf

from chainboot.errors import RefusedError
from chainboot.extlinux.difference import unified
from chainboot.extlinux.edit import Edit, with_default
from chainboot.extlinux.evaluation import resolve
from chainboot.extlinux.parser import LINE_LIMIT, Document, parse

TAIL = b"LABEL a\nLINUX k\nLABEL b\nLINUX k\nLABEL c d\nLINUX k\n"


def edited(data: bytes, entry: int, **files: bytes) -> Edit:
    def read_include(name: str) -> Document | None:
        return parse(files[name], name) if name in files else None

    labels = [found.label for found in resolve(parse(data, "f"), read_include).entries]
    return with_default(data, "f", entry, labels[entry], read_include)


@pytest.mark.parametrize(
    ("head", "entry", "new"),
    [
        (b"DEFAULT a\n", 1, b"DEFAULT b\n"),
        (b"  default\t a \t\r\n", 1, b"  default\t b \t\r\n"),
        (b"DEFAULT a single  user\n", 2, b"DEFAULT c d\n"),
        (b"DEFAULT c d\n", 0, b"DEFAULT a\n"),
        (b"DEFAULT a\rjunk\n", 1, b"DEFAULT b\rjunk\n"),
        (b"DEFAULT a\nDEFAULT vesamenu.c32\n", 1, b"DEFAULT b\nDEFAULT vesamenu.c32\n"),
        (b"DEFAULT menu.C32 x\nDEFAULT x\nDEFAULT y\n", 1, b"DEFAULT menu.C32 x\nDEFAULT x\nDEFAULT b\n"),
        (b"DEFAULT a\ndefault  \r\n", 1, b"DEFAULT a\ndefault b  \r\n"),
        (b"\xef\xbb\xbfDEFAULT a\n", 1, b"\xef\xbb\xbfDEFAULT b\n"),
        (b"SAY \xff\xc3\n# \xe9\nDEFAULT \xff\xfe\xc3\xa9x\n", 1, b"SAY \xff\xc3\n# \xe9\nDEFAULT b\n"),
        (b"TEXT HELP\nDEFAULT x\nENDTEXT\nDEFAULT a\n", 1, b"TEXT HELP\nDEFAULT x\nENDTEXT\nDEFAULT b\n"),
        (b"", 1, b"DEFAULT b\n"),
        (b"# head\n\n#\n", 1, b"# head\n\n#\nDEFAULT b\n"),
        (b"# head\r\n\r\n", 1, b"# head\r\n\r\nDEFAULT b\r\n"),
        (b"\xef\xbb\xbf", 1, b"\xef\xbb\xbfDEFAULT b\n"),
        (b"#\n  TIMEOUT 5\n", 1, b"#\nDEFAULT b\n  TIMEOUT 5\n"),
        (b"DEFAULT menu.c32\n", 1, b"DEFAULT b\nDEFAULT menu.c32\n"),
        (b"(junk\n", 1, b"DEFAULT b\n(junk\n"),
    ],
)
def test_only_the_default_changes(head: bytes, entry: int, new: bytes) -> None:
    assert edited(head + TAIL, entry).data == new + TAIL


def test_a_default_at_the_end_without_a_final_newline() -> None:
    assert edited(TAIL + b"DEFAULT a", 1).data == TAIL + b"DEFAULT b"
    assert edited(b"LABEL a", 0).data == b"DEFAULT a\nLABEL a"


def test_labels_that_are_not_utf8_are_written_as_they_are() -> None:
    assert edited(b"DEFAULT a\nLABEL a\nLABEL \xff\xc3\n", 1).data == b"DEFAULT \xff\xc3\nLABEL a\nLABEL \xff\xc3\n"


def test_the_previous_value_is_told() -> None:
    assert edited(b"DEFAULT a x\n" + TAIL, 0).previous == "a x"
    assert edited(TAIL, 0).previous is None


def test_what_is_the_default_already_stays() -> None:
    data = b"DEFAULT c d \r\n" + TAIL
    assert edited(data, 2).data == data


def test_a_default_that_was_only_guessed_is_written_down() -> None:
    conf = usual_conf().replace("DEFAULT nixos-default", "DEFAULT nixos-42")
    assert b"\nDEFAULT nixos-42-default\n" in edited(conf.encode(), 1).data


@pytest.mark.parametrize(
    ("data", "entry", "sentence"),
    [
        (TAIL + b"LABEL a\n", 3, "f:7:1: DEFAULT a would mean entry 1, which has the same label as entry 4"),
        (TAIL + b"LABEL\n", 3, "f:7:1: entry 4 has no label that DEFAULT could name"),
        (TAIL + b"LABEL menu.c32\n", 3, "f was not changed: DEFAULT menu.c32 would not be read as that entry"),
    ],
)
def test_what_default_cannot_name_is_refused(data: bytes, entry: int, sentence: str) -> None:
    with pytest.raises(RefusedError) as refused:
        edited(data, entry)
    assert str(refused.value) == sentence


def test_a_default_in_an_included_file_is_refused_by_name() -> None:
    data = b"DEFAULT a\nINCLUDE top.cfg\nINCLUDE other.cfg\n" + TAIL
    with pytest.raises(RefusedError) as refused:
        edited(data, 1, **{"top.cfg": b"# x\nDEFAULT a\n", "other.cfg": b"SAY x\nDEFAULT menu.c32\n"})
    assert refused.value.message == (
        "f was not changed: the DEFAULT that counts is at top.cfg:2:1, a file that it includes"
    )
    assert refused.value.hint == "write DEFAULT b there, or remove the line and try again"


def test_a_default_after_the_include_counts_and_is_changed() -> None:
    files = {"top.cfg": b"DEFAULT a\nLABEL z\nLINUX k\n"}
    data = b"INCLUDE top.cfg\nDEFAULT a\n" + TAIL
    assert edited(data, 0, **files).data == b"INCLUDE top.cfg\nDEFAULT z\n" + TAIL


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"^f is left as it is: the file is larger than"):
        edited(TAIL + b"#\n" * LINE_LIMIT, 1)


def test_a_file_that_has_changed_since_is_refused() -> None:
    for entry in (0, 7):
        with pytest.raises(RefusedError) as refused:
            with_default(TAIL, "f", entry, "b")
        assert str(refused.value) == "f was not changed: it is not the file any more that b was found in"


PIECES = st.sampled_from(
    b"DEFAULT a|default  b x\r|DEFAULT|DEFAULT m.c32|LABEL a|LABEL b b|LABEL \xff|# c||TEXT HELP|ENDTEXT|LINUX k|(j|"
    b"\xef\xbb\xbfDEFAULT a|DEFAULT a\rb|DEFAULT \0|MENU BEGIN|MENU END|MENU DEFAULT|APPEND \xc3".split(b"|")
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=12), st.sampled_from([b"\n", b"\r\n"]), st.integers(0, 5))
def test_the_changed_file_means_the_entry_and_differs_in_one_line(pieces: list[bytes], end: bytes, entry: int) -> None:
    data = end.join([*pieces, b"LABEL last", b"LINUX k"])
    menu = resolve(parse(data, "f"))
    if entry >= len(menu.entries):
        return
    label = menu.entries[entry].label
    if label == "" or [found.label for found in menu.entries].index(label) != entry:
        with pytest.raises(RefusedError):
            with_default(data, "f", entry, label)
        return
    edit = with_default(data, "f", entry, label)
    after = resolve(parse(edit.data, "f"))
    assert (after.default, after.default_value, after.default_arguments) == (entry, label, "")
    old, new = data.split(b"\n"), edit.data.split(b"\n")
    if len(new) == len(old):
        assert sum(one != other for one, other in zip(old, new, strict=True)) <= 1
    else:
        written = b"DEFAULT " + label.encode("utf-8", "surrogateescape")
        assert (
            any(new[:at] + new[at + 1 :] == old and written in line for at, line in enumerate(new))
            or data[:3] == b"\xef\xbb\xbf"
        )
    rows = unified("f", data, edit.lines, final_newline=edit.data.endswith(b"\n")).splitlines()
    assert sum(row.startswith("+") for row in rows[2:]) == (edit.data != data)
    assert with_default(edit.data, "f", entry, label).data == edit.data
