"""The console that an entry is given: only where it names none, and as the first stage's own is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nixos import KERNEL, write_root

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.cmdline import split, values
from chainboot.boot.consoles import added, own_consoles, with_consoles, with_words
from chainboot.boot.plan import Command, make_plan
from chainboot.boot.volume import Volume, read_configuration

REMARK = "console=ttyS0 was added: the entry names none (setting add_console)"


@pytest.mark.parametrize(
    ("cmdline", "active", "words"),
    [
        ("quiet console=tty0 console=ttyS0,115200n8 x", "tty0 ttyS0", "console=tty0 console=ttyS0,115200n8"),
        ("console=ttyS0 console=ttyS0", "", "console=ttyS0"),
        ("console=ttysclp0", "ttyS0", "console=ttysclp0"),
        ("quiet", "tty0 ttyS0\n", "console=ttyS0"),
        ("quiet", "ttyS0\n", "console=ttyS0"),
        ("quiet -- console=ttyS1", "hvc0", "console=hvc0"),
        ("console=", "hvc0", "console=hvc0"),
        ("console=null", "", ""),
        ("", "", ""),
        # What the kernel would not understand, and what is no name at all.
        ("", "3270/tty1", ""),
        ("", "tty/1", ""),
        ("", "\x1b[2J", ""),
        ('console="tty S0"', "ttyS1", "console=ttyS1"),
        (f"console={'x' * 65}", "ttyS1", "console=ttyS1"),
        (" ".join(f"console=ttyS{number}" for number in range(99)), "", " ".join(f"console=ttyS{n}" for n in range(8))),
    ],
)
def test_the_first_stage_s_own_consoles(cmdline: str, active: str, words: str) -> None:
    assert own_consoles(cmdline, active) == words


@given(st.text(max_size=60), st.text(max_size=40))
def test_whatever_stands_there_becomes_words_of_one_parameter(cmdline: str, active: str) -> None:
    words = own_consoles(f"console={cmdline}", active)
    assert words.isprintable()
    assert all(word.startswith("console=") and len(word) > len("console=") for word in split(words))
    assert len(values(words, "console")) == len(split(words))


def entry(tmp_path: Path, append: str) -> Candidate:
    root = write_root(tmp_path / "disk", f"LABEL a\nLINUX ../nixos/{KERNEL}\nAPPEND {append}\n")
    return candidates([read_configuration(Volume(str(root), "disk"), "/boot/extlinux/extlinux.conf")])[0]


@pytest.mark.parametrize(
    ("own", "line"),
    [
        ("root=/dev/vda1  quiet", "root=/dev/vda1  quiet console=ttyS0"),
        ("quiet -- single", "quiet console=ttyS0 -- single"),
        ("earlycon consoleblank=0", "earlycon consoleblank=0 console=ttyS0"),
        ('x="a console=b"', 'x="a console=b" console=ttyS0'),
        # It names one.
        ("console=hvc0", None),
        ("console=", None),
        ("console=null quiet", None),
        ("conmode=3215", None),
        ("quiet -- console=hvc0", "quiet console=ttyS0 -- console=hvc0"),
    ],
)
def test_an_entry_that_names_none_gets_it(tmp_path: Path, own: str, line: str | None) -> None:
    before = entry(tmp_path, own)
    (given,) = with_consoles([before], "console=ttyS0")
    assert given.cmdline == before.cmdline == own
    assert given.boot_cmdline == (line or own)
    assert added(given, given.boot_cmdline) == (REMARK if line else "")


def test_without_words_to_add_nothing_changes(tmp_path: Path) -> None:
    before = entry(tmp_path, "quiet  x ")
    assert with_consoles([before], "") == (before,)
    assert before.boot_cmdline == before.cmdline


def test_what_a_person_adds_may_name_one(tmp_path: Path) -> None:
    (given,) = with_consoles([entry(tmp_path, "quiet")], "console=ttyS0")
    assert with_words(given, "") == "quiet console=ttyS0"
    assert with_words(given, "single") == "quiet single console=ttyS0"
    assert with_words(given, "console=hvc0") == "quiet console=hvc0"


def test_the_plan_says_what_was_added(tmp_path: Path) -> None:
    (given,) = with_consoles([entry(tmp_path, "quiet")], "console=ttyS0")
    plan = make_plan(given, machine="x86_64")
    assert plan.cmdline == "quiet console=ttyS0"
    assert plan.load[-1] == Command((*plan.load[-1].argv[:-1], "--command-line=quiet console=ttyS0"))  # type: ignore[union-attr]
    assert plan.notes == (REMARK,)
    assert plan.describe().splitlines()[:3] == [f"boot a: {given.entry.title}", f"  note: {REMARK}", "  load:"]
    assert make_plan(given, cmdline="quiet", machine="x86_64").notes == ()
    assert make_plan(given, cmdline="console=ttyS1", machine="x86_64").notes == ()
    assert make_plan(given, cmdline="single console=ttyS0", machine="x86_64").notes == (REMARK,)


def test_several_are_said_to_be_several(tmp_path: Path) -> None:
    (given,) = with_consoles([entry(tmp_path, "quiet")], "console=tty0 console=ttyS0")
    assert added(given, given.boot_cmdline).startswith("console=tty0 console=ttyS0 were added")
