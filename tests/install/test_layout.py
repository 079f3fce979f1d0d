"""Names, ids and the mark on the command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainboot.install.layout import identifier, is_damaged, is_number, is_rest, marked, unmarked

ID = "0123456789ab"


@pytest.mark.parametrize(
    ("name", "number", "rest", "damaged"),
    [
        ("1", True, False, False),
        ("41", True, False, False),
        ("0", False, False, False),
        ("01", False, False, False),
        ("1" * 10, False, False, False),
        ("٣", False, False, False),
        ("7.old", False, True, False),
        (f"{ID}.new", False, True, False),
        (f"{ID}.old", False, True, False),
        (f"{ID}.damaged-3", False, False, True),
        (f"{ID}.damaged-3.old", False, True, False),
        (f"{ID}.damaged-", False, False, False),
        ("x.new", False, False, False),
        (".new", False, False, False),
        (f"{ID}.new.x", False, False, False),
    ],
)
def test_what_a_name_means(name: str, number: bool, rest: bool, damaged: bool) -> None:
    assert (is_number(name), is_rest(name), is_damaged(name)) == (number, rest, damaged)


def test_an_id_depends_on_all_three() -> None:
    found = {
        identifier(kernel, initrd, parameters)
        for kernel in (b"k" * 32, b"l" * 32)
        for initrd in (b"k" * 32, b"l" * 32)
        for parameters in ("", "x")
    }
    assert len(found) == 8


def test_the_mark_stands_before_what_is_for_init() -> None:
    assert marked("a -- b", ID) == f"a chainboot.installed={ID} -- b"
    assert marked("", ID) == f"chainboot.installed={ID}"
    assert unmarked(f"a chainboot.installed={ID} -- b") == "a -- b"


@given(st.text(alphabet='ab" -\t\n=.', max_size=40))
def test_the_mark_can_be_taken_away_again(text: str) -> None:
    plain = unmarked(text)
    if plain.count('"') % 2 == 0:  # else it ends within quotes, and the mark is part of the last word
        assert unmarked(marked(plain, ID)) == plain
