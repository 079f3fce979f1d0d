"""The menu as numbered lines: what a line means, what is printed, and whole sessions through pipes."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from session.menus import COMMAND_LINE, HOSTILE, after, entry, menu

from chainboot.session.events import Ask, Boot, Edit, EndOfInput, Event, Key, Replace, Surroundings, Tick
from chainboot.session.line_menu import LineMenu
from chainboot.session.lines import NEW_COMMAND_LINE, PROMPT, announce, help_text, listing, parse
from chainboot.session.loop import run_menu
from chainboot.session.screen import EDITING, READY, Abilities, Action, Choice, ScreenState

UNKNOWN = Key("Unknown")


@pytest.mark.parametrize(
    ("line", "events"),
    [
        ("", (Key("Enter"),)),
        ("   ", (Key("Enter"),)),
        ("3", (Boot(3),)),
        (" 3 ", (Boot(3),)),
        ("03", (Boot(3),)),
        ("b 3", (Boot(3),)),
        ("boot 3", (Boot(3),)),
        ("boot nixos-41-default", (Boot(2),)),
        ("nixos-41-default", (Boot(2),)),
        ("e 3", (Edit(3),)),
        ("E  3", (Edit(3),)),
        ("edit nixos-41-default", (Edit(2),)),
        ("e", (Key("e"),)),
        ("s", (Key("s"),)),
        ("shell", (Key("s"),)),
        ("R", (Key("r"),)),
        ("q", (Key("q"),)),
        ("?", (Key("?"),)),
        ("help", (Key("?"),)),
        ("l", (UNKNOWN,)),
    ],
)
def test_a_line(line: str, events: tuple[Event, ...]) -> None:
    command = parse(line, menu())
    assert (command.events, command.answer) == (events, "")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("foo", "'foo' is no command and no entry; ? for help."),
        ("s now", "'s now' is no command and no entry; ? for help."),
        ("99", "There is no entry '99'."),
        ("9" * 5000, f"There is no entry '{'9' * 59}~'."),
        ("²", "'²' is no command and no entry; ? for help."),
        ("b foo", "There is no entry 'foo'."),
        ("e 99", "There is no entry '99'."),
        ("\x1b[A", "'\ufffd[A' is no command and no entry; ? for help."),
        ("\udcff", "'\ufffd' is no command and no entry; ? for help."),
    ],
)
def test_a_line_that_means_nothing_is_answered_and_stops_the_countdown(line: str, answer: str) -> None:
    command = parse(line, menu())
    assert (command.events, command.answer) == ((UNKNOWN,), answer)


FULL = Abilities(can_ask=True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("show 3", "show 3"),
        ("SHOW 3", "show 3"),
        ("show", "show"),
        ("plan nixos-41-default", "plan nixos-41-default"),
        ("status", "status"),
        ("log", "log"),
        ("hold", "hold"),
        ("resume", "resume"),
        (" REBOOT ", "reboot"),
        ("poweroff", "poweroff"),
        ("boot 3 --append 'a b'", "boot 3 --append 'a b'"),
        ("B 3 --append A", "boot 3 --append A"),
        ("SHOW NIXOS-41-DEFAULT --JSON", "show nixos-41-default --JSON"),
        ("PLAN  Nixos-41-Default", "plan nixos-41-default"),
        ("BOOT NIXOS-41-DEFAULT --APPEND A", "boot nixos-41-default --APPEND A"),
        ("LOG NIXOS-41-DEFAULT", "log nixos-41-default"),
        ("NEXT NIXOS-41-DEFAULT --ONCE", "next nixos-41-default --ONCE"),
        ("next --clear", "next --clear"),
        ("Rollback", "rollback"),
        ("set-default 3", "set-default 3"),
        ("show gone --json", "show gone --json"),
    ],
)
def test_a_line_that_is_a_verb(line: str, words: str) -> None:
    command = parse(line, menu(abilities=FULL))
    assert (command.events, command.answer) == ((Ask(words),), "")
    assert after(menu(abilities=FULL), *command.events).choice == Choice(Action.ASK, words=words)


def test_where_verbs_are_not_to_be_had_they_are_no_commands() -> None:
    for line in ("status", "reboot", "boot 3 --append x"):
        assert parse(line, menu()).events == (UNKNOWN,)
    assert after(menu(), Ask("reboot")).choice is None


def test_a_label_wins_over_a_verb_and_over_options() -> None:
    labels = {1: "status", 2: "a --b", 4: "boot --x", 5: "it's two words"}
    items = tuple(replace(entry(index), label=label) for index, label in labels.items())
    state = menu(items=items, abilities=FULL)
    for line, index in (("status", 1), ("a --b", 2), ("b a --b", 2), ("boot --x", 4)):
        assert parse(line, state).events == (Boot(index),)
    for line, verb, label, rest in (
        ("show a --b", "show", "a --b", []),
        ("boot A --B --append x", "boot", "A", ["--B", "--append", "x"]),
        ("BOOT IT'S TWO WORDS --append 'y z'", "boot", "it's two words", ["--append", "y z"]),
        ("STATUS", "status", "", []),
    ):
        (event,) = parse(line, state).events
        assert isinstance(event, Ask)
        assert shlex.split(event.words) == [verb, *([label] if label else []), *rest]


def test_capitals_name_an_entry_where_only_one_is_meant() -> None:
    assert parse("NIXOS-41-DEFAULT", menu()).events == (Boot(2),)
    assert parse("B NIXOS-41-DEFAULT", menu()).events == (Boot(2),)
    state = menu(items=(replace(entry(1), label="a"), replace(entry(2), label="A"), replace(entry(4), label="bB")))
    assert parse("A", state).events == (Boot(2),)
    assert parse("Bb", state).events == (Boot(4),)
    state = menu(items=(replace(entry(1), label="ab"), replace(entry(2), label="AB")))
    assert parse("Ab", state).events == (UNKNOWN,)


def test_a_line_to_edit_says_what_was_added_to_it() -> None:
    state = menu(items=(replace(entry(1), note="console=ttyS0 was added"),))
    assert announce(state, after(state, "e"), answering=True)[:3] == [
        "The command line is:",
        COMMAND_LINE,
        "console=ttyS0 was added",
    ]


def test_a_command_wins_over_a_label_and_a_number_over_both() -> None:
    state = menu(items=(replace(entry(1), label="s"), replace(entry(2), label="1"), replace(entry(4), label="7")))
    assert parse("s", state).events == (Key("s"),)
    assert parse("b s", state).events == (Boot(1),)
    assert parse("1", state).events == (Boot(1),)
    assert parse("7", state).events == (Boot(4),)


@pytest.mark.parametrize(
    ("line", "events", "answer"),
    [
        ("", (Key("Escape"),), "Nothing was changed."),
        ("  ", (Key("Escape"),), "Nothing was changed."),
        ("a  b", (Replace("a  b"),), ""),
        ("a\tb ", (Replace("a b"),), ""),
        ("s", (Replace("s"),), ""),
        ("é", (Replace("é"),), ""),
        ("a\x1b[D", (Key("Escape"),), "The line holds control characters; nothing was changed."),
        ("a\udcff", (Key("Escape"),), "The line holds control characters; nothing was changed."),
    ],
)
def test_a_line_while_editing_is_the_command_line(line: str, events: tuple[Event, ...], answer: str) -> None:
    command = parse(line, after(menu(), "e"))
    assert (command.events, command.answer) == (events, answer)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_line_is_a_sign_of_somebody(line: str) -> None:
    for state in (menu(), after(menu(), "e"), after(menu(), "?"), menu(0)):
        stopped = after(state, *parse(line, state).events)
        assert stopped.deadline_ds is None
        assert "\x1b" not in parse(line, state).answer


def test_the_listing() -> None:
    assert listing(menu(3, banner=("ssh root@192.0.2.7",), message="It did not load.")) == [
        "chainboot: NixOS",
        "ssh root@192.0.2.7",
        "  1  NixOS - Default  (default)",
        "  2  NixOS - Configuration 41 (2024-05-02 - 24.05)",
        "  3  NixOS - Configuration 40 (2024-05-03 - 24.05)",
        "     [cannot boot] the kernel /boot/nixos/k0-bzImage does not exist",
        "It did not load.",
        "Booting in 5 s: nixos-default. Any key stops the countdown.",
    ]


PROMPT_LINE = f"{PROMPT}, e N to edit, s shell, r rescan, ? help; Enter boots 1 (nixos-default)"
STOPPED = f"{READY}: 5 entries, default nixos-default, countdown stopped"


@pytest.mark.parametrize(
    ("before", "now", "answering", "lines"),
    [
        (menu(), menu(), False, []),
        (after(menu(), "Unknown"), after(menu(), "Unknown"), True, [PROMPT_LINE, STOPPED]),
        (menu(), after(menu(), Tick(1010)), False, []),
        (
            menu(timeout_ds=110),
            after(menu(timeout_ds=110), Tick(1010)),
            False,
            [f"{READY}: 5 entries, default nixos-default, booting in 10 s"],
        ),
        (menu(timeout_ds=90), after(menu(timeout_ds=90), Tick(1010)), False, []),
        (
            menu(),
            after(menu(), Surroundings(others=("anna",))),
            False,
            [f"{READY}: 5 entries, default nixos-default, countdown held"],
        ),
        (
            after(menu(), Surroundings(others=("anna",))),
            after(menu(), Surroundings(deadline_ds=1300)),
            False,
            [f"{READY}: 5 entries, default nixos-default, booting in 30 s"],
        ),
        (after(menu(), "?"), after(menu(), "?"), True, [*help_text(Abilities()), PROMPT_LINE, "chainboot: help"]),
        (
            menu(),
            after(menu(), "e"),
            True,
            [
                "The command line is:",
                COMMAND_LINE,
                f"{NEW_COMMAND_LINE}; an empty line changes nothing and goes back",
                f"{EDITING} nixos-default",
            ],
        ),
        (
            menu(),
            after(menu(), Boot(3)),
            True,
            [
                "nixos-40-default cannot boot: the kernel /boot/nixos/k0-bzImage does not exist",
                PROMPT_LINE,
                "chainboot: cannot boot nixos-40-default: the kernel /boot/nixos/k0-bzImage does not exist",
            ],
        ),
        (menu(), after(menu(), "Enter"), True, []),
    ],
)
def test_what_is_printed(before: ScreenState, now: ScreenState, answering: bool, lines: list[str]) -> None:
    assert announce(before, now, answering=answering) == lines


def test_words_that_do_nothing_here_are_not_offered() -> None:
    looking = menu(
        abilities=Abilities(can_boot=False, can_rescan=False, can_shell=False, can_edit=False, can_quit=True)
    )
    assert announce(looking, looking, answering=True)[0] == f"{PROMPT}, q quit, ? help"


WORDS = {
    "can_boot": {
        *("N, LABEL, b N, b LABEL", "an empty line", "hold, resume", "reboot"),
        *("next N, next N --once", "rollback"),
    },
    "can_edit": {"e N, e LABEL", "boot N --append TEXT", "set-default N"},
    "can_shell": {"s", "poweroff"},
    "can_rescan": {"r"},
    "can_quit": {"q"},
}


@pytest.mark.parametrize("ability", WORDS)
def test_the_help_has_no_word_that_does_nothing_here(ability: str) -> None:
    def words(**able: bool) -> set[str]:
        state = after(menu(abilities=Abilities(**able)), "?")
        printed = announce(state, state, answering=True)
        return {line.partition("  ")[0] for line in printed[: printed.index("Any line stops the countdown.") + 1]}

    everything = words(can_quit=True, can_ask=True)
    for_all = {"l", "show N, plan N", "status, log", "log N", "Any line stops the countdown."}
    assert everything == {word for each in WORDS.values() for word in each} | for_all
    assert everything - words(**{"can_quit": True, "can_ask": True, ability: False}) == WORDS[ability]


def test_a_menu_without_verbs_offers_none() -> None:
    offered = {line.split()[0] for line in help_text(Abilities())}
    assert not offered & {"show", "status,", "hold,", "reboot", "poweroff", "boot", "next", "rollback", "set-default"}


def test_the_countdown_is_told_at_few_moments() -> None:
    told = []
    before = menu(timeout_ds=1000)
    for now in range(1000, 2000):
        state = after(before, Tick(now))
        told += [line.rpartition(" in ")[2] for line in announce(before, state, answering=False)]
        before = state
    assert told == ["60 s", "30 s", "10 s", "5 s"]


def test_hostile_text_is_printed_harmless() -> None:
    item = replace(entry(1), label=HOSTILE, title=HOSTILE, cmdline=HOSTILE, reasons=(HOSTILE,))
    able = replace(item, index=2, reasons=())
    for state in (menu(items=(item, able), banner=(HOSTILE,), message=HOSTILE), menu(items=(able,), default=2)):
        for now in (state, after(state, Boot(1)), after(state, Edit(2))):
            for line in [*announce(None, now, answering=False), *announce(state, now, answering=True)]:
                assert line.replace("\ufffd", "").isprintable()


class Session:
    """A `LineMenu` on a pipe, and a clock that stands still while lines come and runs once there are none."""

    def __init__(self, typed: bytes, *, ended: bool = True) -> None:
        self._read, self._write = os.pipe()
        os.write(self._write, typed)
        if ended:
            os.close(self._write)
        self.printed: list[str] = []
        self.menu = LineMenu(self._read, self.printed.append)
        self.now = 1000

    def draw(self, state: ScreenState) -> None:
        self.menu.draw(state)

    def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
        events = self.menu.events(timeout_ds if timeout_ds is None else 0)
        if not events:
            assert timeout_ds is not None
            self.now += max(timeout_ds, 1)
        return events

    def run(self, state: ScreenState) -> Choice:
        return run_menu(state, self, lambda: self.now)


@pytest.mark.parametrize(
    ("typed", "choice"),
    [
        (b"\n", Choice(Action.BOOT, 1)),
        (b"2\n", Choice(Action.BOOT, 2)),
        (b"2\r\n", Choice(Action.BOOT, 2)),
        (b"2", Choice(Action.BOOT, 2)),  # the last line of a pipe may lack its newline
        (b"foo\n3\n99\n2\n", Choice(Action.BOOT, 2)),
        (b"e 2\na b c\n", Choice(Action.BOOT, 2, "a b c")),
        (b"e 2\n\n1\n", Choice(Action.BOOT, 1)),
        (b"e 3\n2\n", Choice(Action.BOOT, 2)),  # refused: the next line is no command line
        (b"?\n2\n", Choice(Action.BOOT, 2)),
        (b"?\ns\n", Choice(Action.SHELL)),
        (b"?\n?\nl\nr\n", Choice(Action.RESCAN)),
        (b"\xff\xfe\n2\n", Choice(Action.BOOT, 2)),
        (b"x" * 60000 + b"\n2\n", Choice(Action.BOOT, 2)),
        (b"foo\n", Choice(Action.QUIT)),
        (b"", Choice(Action.BOOT, 1, by_timer=True)),
    ],
)
def test_a_session(typed: bytes, choice: Choice) -> None:
    assert Session(typed).run(menu()) == choice


def test_a_session_without_input_or_countdown_ends() -> None:
    assert Session(b"").run(menu(timeout_ds=None)) == Choice(Action.QUIT)


def test_a_line_without_end_is_cut() -> None:
    session = Session(b"")
    session.menu.draw(menu())
    read, write = os.pipe()
    endless = LineMenu(read, session.printed.append)
    endless.draw(menu())
    events: list[Event] = []
    for _ in range(18):
        os.write(write, b"x" * 4096)
        events += endless.events(0)
    assert UNKNOWN in events
    assert EndOfInput() not in events


def test_a_session_prints_whole_lines_and_the_countdown() -> None:
    session = Session(b"", ended=False)
    session.run(menu(2, timeout_ds=60))
    assert session.printed == [
        "chainboot: NixOS",
        "  1  NixOS - Default  (default)",
        "  2  NixOS - Configuration 41 (2024-05-02 - 24.05)",
        "Booting in 6 s: nixos-default. Any key stops the countdown.",
        PROMPT_LINE,
        f"{READY}: 2 entries, default nixos-default, booting in 6 s",
        f"{READY}: 2 entries, default nixos-default, booting in 5 s",
    ]


def test_what_follows_the_deciding_line_is_left_for_the_next_reader() -> None:
    read, write = os.pipe()
    os.write(write, b"s\nls\n")
    assert run_menu(menu(), LineMenu(read, lambda _line: None), lambda: 1000) == Choice(Action.SHELL)
    assert os.read(read, 100) == b"ls\n"


def test_the_answers_of_a_session() -> None:
    session = Session(b"foo\ne 2\n\nl\n2\n")
    session.run(menu(2))
    enter_2 = PROMPT_LINE.replace("1 (nixos-default)", "2 (nixos-41-default)")
    stopped = f"{READY}: 2 entries, default nixos-default, countdown stopped"
    assert session.printed[6:] == [
        "'foo' is no command and no entry; ? for help.",
        PROMPT_LINE,
        stopped,
        "The command line is:",
        COMMAND_LINE,
        f"{NEW_COMMAND_LINE}; an empty line changes nothing and goes back",
        f"{EDITING} nixos-41-default",
        "Nothing was changed.",
        enter_2,
        stopped,
        "chainboot: NixOS",
        "  1  NixOS - Default  (default)",
        "  2  NixOS - Configuration 41 (2024-05-02 - 24.05)",
        enter_2,
        stopped,
    ]
