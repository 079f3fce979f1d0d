"""Bytes to keys: the sequences of real terminals, and any bytes at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainboot.session.events import Key, Resize
from chainboot.session.keys import UNKNOWN, KeyDecoder

PRESSES = [
    (b"a", "a"),
    (b" ", " "),
    ("é".encode(), "é"),
    ("漢".encode(), "漢"),
    ("😀".encode(), "😀"),
    (b"\r", "Enter"),
    (b"\n", "Enter"),
    (b"\t", "Tab"),
    (b"\x7f", "Backspace"),
    (b"\x08", "Backspace"),
    (b"\x01", "C-a"),
    (b"\x17", "C-w"),
    (b"\x0c", "C-l"),
    (b"\x1f", "C-_"),
    (b"\x1b[A", "Up"),
    (b"\x1bOA", "Up"),
    (b"\x1b[B", "Down"),
    (b"\x1b[C", "Right"),
    (b"\x1b[D", "Left"),
    (b"\x1b[H", "Home"),
    (b"\x1bOH", "Home"),
    (b"\x1b[1~", "Home"),
    (b"\x1b[7~", "Home"),
    (b"\x1b[F", "End"),
    (b"\x1b[4~", "End"),
    (b"\x1b[8~", "End"),
    (b"\x1b[2~", "Insert"),
    (b"\x1b[3~", "Delete"),
    (b"\x1b[5~", "PageUp"),
    (b"\x1b[6~", "PageDown"),
    (b"\x1bOP", "F1"),
    (b"\x1b[[A", "F1"),
    (b"\x1b[[E", "F5"),
    (b"\x1b[15~", "F5"),
    (b"\x1b[24~", "F12"),
    (b"\x1bOM", "Enter"),
    (b"\x1b[Z", "S-Tab"),
    (b"\x1b[1;5C", "C-Right"),
    (b"\x1b[1;5D", "C-Left"),
    (b"\x1b[1;3D", "A-Left"),
    (b"\x1b[1;2A", "S-Up"),
    (b"\x1b[1;6A", "C-S-Up"),
    (b"\x1b[3;5~", "C-Delete"),
    (b"\x1b[1;2R", "S-F3"),
    (b"\x1bb", "A-b"),
    (b"\x1b\x7f", "A-Backspace"),
    (b"\x1b\x01", "C-A-a"),
    ("\x1bé".encode(), "A-é"),
    # No keys, but a sign of somebody: any of them stops a countdown.
    (b"\xff", UNKNOWN),
    (b"\x80", UNKNOWN),
    (b"\xc0", UNKNOWN),
    (b"\xed\xa0\x80", UNKNOWN),  # a surrogate
    ("\x85".encode(), UNKNOWN),  # a C1 control character
    ("\u202e".encode(), UNKNOWN),  # a bidi override
    (b"\x1b[99~", UNKNOWN),
    (b"\x1b[1;9A", UNKNOWN),
    (b"\x1b[1;2;3A", UNKNOWN),
    (b"\x1b[M", UNKNOWN),
    (b"\x1b[[Z", UNKNOWN),
    (b"\x1bOz", UNKNOWN),
    (b"\x1b[?1;2c", UNKNOWN),
    (b"\x1b[" + b"1" * 100000 + b"A", UNKNOWN),
]


@pytest.mark.parametrize(("data", "name"), PRESSES)
def test_a_press_is_one_key(data: bytes, name: str) -> None:
    decoder = KeyDecoder()
    assert decoder.feed(data) == (Key(name),)
    assert not decoder.pending


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (b"\x1b[24;80R", Resize(80, 24)),
        (b"\x1b[999;999R", Resize(999, 999)),
        (b"\x1b[9999;80R", Key(UNKNOWN)),
        (b"\x1b[24;1R", Key(UNKNOWN)),
        (b"\x1b[0;0R", Key(UNKNOWN)),
    ],
)
def test_a_cursor_position_report_is_a_size_if_it_can_be_one(data: bytes, event: Key | Resize) -> None:
    assert KeyDecoder().feed(data) == (event,)


@pytest.mark.parametrize(
    ("begun", "names"),
    [
        (b"", []),
        (b"\x1b", ["Escape"]),
        (b"\x1b\x00", ["Escape"]),
        (b"\x1b[", ["A-["]),
        (b"\x1bO", ["A-O"]),
        (b"\x1b[1;", [UNKNOWN]),
        (b"\x1b[[", [UNKNOWN]),
        (b"\xe6\xbc", [UNKNOWN]),
        (b"\x1b\xe6\xbc", ["A-" + UNKNOWN]),
    ],
)
def test_what_is_not_finished_in_time(begun: bytes, names: list[str]) -> None:
    decoder = KeyDecoder()
    assert decoder.feed(begun) == ()
    assert decoder.pending == bool(begun)
    assert [key.name for key in decoder.flush()] == names
    assert not decoder.pending
    assert decoder.feed(b"a") == (Key("a"),)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"\x1b\x1b[A", ["Escape", "Up"]),
        (b"\x1b[1\x1b[A", [UNKNOWN, "Up"]),
        (b"\x1b[1\r", [UNKNOWN, "Enter"]),
        (b"\xe6a", [UNKNOWN, "a"]),
        (b"\xe6\x1b[A", [UNKNOWN, "Up"]),
        (b"a\x00b", ["a", "b"]),
        (b"\r\x00", ["Enter"]),
        (b"\x1b\x00b", ["A-b"]),
        (b"jj\r", ["j", "j", "Enter"]),
    ],
)
def test_a_sequence_that_is_cut_off_costs_only_itself(data: bytes, names: list[str]) -> None:
    assert [event.name for event in KeyDecoder().feed(data) if isinstance(event, Key)] == names


# Bytes that begin and end sequences, much more often than chance would have them.
_likely = st.lists(
    st.sampled_from([b"\x1b", b"[", b"O", b"1", b";", b"5", b"~", b"R", b"A", b"\xe6", b"\xbc", b"\xa2"])
)
_any_bytes = st.one_of(st.binary(), _likely.map(b"".join))


@given(_any_bytes, st.lists(st.integers(0, 40)))
def test_where_the_bytes_are_cut_does_not_matter(data: bytes, cuts: list[int]) -> None:
    whole, pieces = KeyDecoder(), KeyDecoder()
    events: list[Key | Resize] = []
    start = 0
    for size in cuts:
        events += pieces.feed(data[start : start + size])
        start += size
    events += pieces.feed(data[start:])
    assert tuple(events) == whole.feed(data)
    assert pieces.pending == whole.pending
    assert pieces.flush() == whole.flush()


@given(st.text())
def test_pasted_text_arrives_as_its_characters(text: str) -> None:
    decoder = KeyDecoder()
    names = [event.name for event in decoder.feed(text.encode("utf-8", "replace")) if isinstance(event, Key)]
    plain = [char for char in text.encode("utf-8", "replace").decode() if char.isprintable()]
    if "\x1b" not in text:
        assert [name for name in names if len(name) == 1 and name.isprintable()] == plain
