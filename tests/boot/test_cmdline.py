"""Kernel command lines as the kernel splits them."""

from __future__ import annotations

import pytest

from chainboot.boot.cmdline import join, split, values, with_parameters


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("  a\tb\n", ("a", "b")),
        ('dyndbg="file x +p" quiet', ('dyndbg="file x +p"', "quiet")),
        ('"a b"=c', ('"a b"=c',)),
        ('open="to the end', ('open="to the end',)),
        (r"a\ b", ("a\\", "b")),
    ],
)
def test_split(text: str, words: tuple[str, ...]) -> None:
    assert split(text) == words


def test_values_come_in_order_and_end_at_init_s_own_words() -> None:
    text = 'console=tty0 x.y-z="a b" console=ttyS0,9600 x.y_z=c -- console=no'
    assert values(text, "console") == ("tty0", "ttyS0,9600")
    assert values(text, "x.y_z") == ("a b", "c")
    assert values(text, "quiet") == ()


@pytest.mark.parametrize(
    ("text", "longer"),
    [
        ("", "x=1"),
        ("a  b ", "a  b x=1"),
        ("a -- b  c", "a x=1 -- b  c"),
        ("-- b", "x=1 -- b"),
        ("a --", "a x=1 --"),
        ("a --b c--", "a --b c-- x=1"),
        ('a="b -- c" -- d', 'a="b -- c" x=1 -- d'),
        ("a\t--\tb", "a x=1 --\tb"),
        ('init=/x dyndbg="file a  +p', 'init=/x x=1 dyndbg="file a  +p'),
        ('"', 'x=1 "'),
        ('a="b" c" -- d', 'a="b" x=1 c" -- d'),
        ('a -- b="c', 'a x=1 -- b="c'),
    ],
)
def test_parameters_are_put_before_the_words_of_init(text: str, longer: str) -> None:
    assert with_parameters(text, "x=1") == longer
    assert values(longer, "x") == ("1",)


def test_join_leaves_out_what_is_empty() -> None:
    assert join("", "a  b", "", "c") == "a  b c"
