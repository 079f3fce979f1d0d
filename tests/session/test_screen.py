"""What keys make of the menu: tables of behaviour, exact refusals, the status line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from session.menus import COMMAND_LINE, after, entries, entry, menu, sized

from chainboot.session.events import Boot, Edit, Event, Tick
from chainboot.session.screen import (
    CANNOT_BOOT,
    EDITING,
    HELP_SHOWN,
    NO_ENTRIES,
    READY,
    Abilities,
    Action,
    Choice,
    Mode,
    status,
)


@pytest.mark.parametrize(
    ("keys", "selected"),
    [
        ("Down", 2),
        ("j j", 3),
        ("Up", 1),
        ("G", 20),
        ("End Up", 19),
        ("End Down", 20),
        ("G g", 1),
        ("End Home", 1),
        ("j k", 1),
        ("C-n C-n C-p", 2),
        ("G PageDown", 20),
        ("PageUp", 1),
        ("7", 7),
        ("1 2", 12),
        ("1 2 Backspace", 1),
        ("2 0", 20),
        ("1 2 j", 13),
        ("1 j 2", 2),
        ("0", 1),
        ("Unknown", 1),
        ("F5", 1),
    ],
)
def test_keys_that_select(keys: str, selected: int) -> None:
    state = after(menu(20), *keys.split(" "))
    assert state.current is not None
    assert state.current.index == selected
    assert state.choice is None


def test_a_page_is_what_the_screen_shows_less_one() -> None:
    state = sized(menu(100), 80, 24)
    shown = state.layout().entries
    assert after(state, "PageDown").selected == shown - 1
    assert after(state, "PageDown", "PageUp").selected == 0


@pytest.mark.parametrize(
    ("keys", "choice"),
    [
        ("Enter", Choice(Action.BOOT, 1)),
        ("j Enter", Choice(Action.BOOT, 2)),
        ("1 2 Enter", Choice(Action.BOOT, 12)),
        ("0 2 Enter", Choice(Action.BOOT, 2)),
        ("s", Choice(Action.SHELL)),
        ("r", Choice(Action.RESCAN)),
        ("e Enter", Choice(Action.BOOT, 1)),
        ("e x Backspace Enter", Choice(Action.BOOT, 1)),
        ("e ! Enter", Choice(Action.BOOT, 1, COMMAND_LINE + "!")),
        ("j e C-u a Enter", Choice(Action.BOOT, 2, "a")),
        ("e C-u Enter", Choice(Action.BOOT, 1, "")),
        ("e ! Escape Enter", Choice(Action.BOOT, 1)),
        ("e ! Escape e Enter", Choice(Action.BOOT, 1)),
        ("e ! C-c Enter", Choice(Action.BOOT, 1)),
        ("? x Enter", Choice(Action.BOOT, 1)),
        ("h Enter Enter", Choice(Action.BOOT, 1)),
    ],
)
def test_keys_that_decide(keys: str, choice: Choice) -> None:
    assert after(menu(20), *keys.split(" ")).choice == choice


def test_letters_are_text_while_editing() -> None:
    state = after(menu(), "e", "C-u", *"q?srjkgGh1e")
    assert state.choice is None
    assert state.editor is not None
    assert state.editor.text == "q?srjkgGh1e"


def test_quitting_needs_something_to_quit_to() -> None:
    assert after(menu(abilities=Abilities(can_quit=True)), "q").choice == Choice(Action.QUIT)
    assert after(menu(abilities=Abilities(can_quit=True)), "C-c").choice == Choice(Action.QUIT)
    stays = after(menu(), "q")
    assert stays.choice is None
    assert stays.notice == "There is nothing to quit to: boot an entry, or press ? for help."
    assert after(menu(), "C-c").choice is None


@pytest.mark.parametrize(
    ("abilities", "key", "notice"),
    [
        (Abilities(can_shell=False), "s", "A shell is not available here."),
        (Abilities(can_edit=False), "e", "Command lines may not be edited here."),
        (Abilities(can_rescan=False), "r", "Looking again is not available here."),
        (Abilities(can_boot=False), "Enter", "You may look, and boot nothing."),
    ],
)
def test_what_may_not_be_done_is_refused_in_words(abilities: Abilities, key: str, notice: str) -> None:
    state = after(menu(abilities=abilities), key)
    assert (state.choice, state.mode, state.notice) == (None, Mode.LIST, notice)


@pytest.mark.parametrize("events", [("3", "Enter"), ("j", "j", "e"), (Boot(3),), (Edit(3),)])
def test_an_entry_that_cannot_boot_is_refused_in_words_and_the_menu_lives(events: tuple[Event | str, ...]) -> None:
    state = after(menu(), *events)
    assert (state.choice, state.mode) == (None, Mode.LIST)
    assert state.notice == "nixos-40-default cannot boot: the kernel /boot/nixos/k0-bzImage does not exist"
    assert status(state) == (
        "chainboot: cannot boot nixos-40-default: the kernel /boot/nixos/k0-bzImage does not exist"
    )
    again = after(state, "g")
    assert status(again).startswith(READY)
    assert after(again, "Enter").choice == Choice(Action.BOOT, 1)


@pytest.mark.parametrize(
    ("count", "events", "notice"),
    [
        (5, ("7",), "There is no entry 7."),
        (5, ("0",), "There is no entry 0."),
        (5, (Boot(7),), "There is no entry 7."),
        (5, (Edit(7),), "There is no entry 7."),
        (20, ("9", "9"), "Entry 99: there is none with this number."),
        (20, ("1", "2"), "Entry 12: Enter boots it."),
        (20, ("9", "9", "Enter"), "There is no entry 99."),
        (20, tuple("9" * 5000), "Entry 999999: there is none with this number."),
    ],
)
def test_a_number(count: int, events: tuple[Event | str, ...], notice: str) -> None:
    state = after(menu(count), *events)
    assert (state.choice, state.notice) == (None, notice)


def test_a_wrong_number_does_not_boot_what_happens_to_be_selected() -> None:
    state = after(menu(20), "j", "9", "9", "Enter")
    assert state.choice is None
    assert (state.selected, state.typed) == (8, "")  # the 9 that was typed on the way is selected, for all to see
    assert after(state, "Enter").choice == Choice(Action.BOOT, 9)


def test_up_to_nine_entries_a_digit_selects_and_waits() -> None:
    state = after(menu(9), "2", "4")
    assert state.choice is None
    assert after(state, "Enter").choice == Choice(Action.BOOT, 4)


# -- the status line


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ((), f"{READY}: 5 entries, default nixos-default, booting in 5 s"),
        ((Tick(1031),), f"{READY}: 5 entries, default nixos-default, booting in 2 s"),
        (("j",), f"{READY}: 5 entries, default nixos-default, countdown stopped"),
        (("j", "e"), f"{EDITING} nixos-41-default"),
        (("?",), HELP_SHOWN),
        (("3", "Enter"), f"{CANNOT_BOOT} nixos-40-default: the kernel /boot/nixos/k0-bzImage does not exist"),
    ],
)
def test_the_status_line(events: tuple[Event | str, ...], line: str) -> None:
    assert status(after(menu(), *events)) == line


@pytest.mark.parametrize(
    ("count", "default", "timeout_ds", "message", "line"),
    [
        (1, 1, None, "", f"{READY}: 1 entry, default nixos-default, waiting"),
        (2, None, None, "", f"{READY}: 2 entries, no default, waiting"),
        (2, 2, 10, "", f"{READY}: 2 entries, default nixos-41-default, booting in 1 s"),
        (0, None, None, "", f"{NO_ENTRIES}: nothing to boot was found"),
        (0, None, 50, "no disk was found", f"{NO_ENTRIES}: no disk was found"),
    ],
)
def test_the_status_line_at_the_start(
    count: int, default: int | None, timeout_ds: int | None, message: str, line: str
) -> None:
    assert status(menu(count, default=default, timeout_ds=timeout_ds, message=message)) == line


def test_an_empty_menu_lives() -> None:
    state = after(menu(0, message="no disk was found"), *"jkgG1e\x1b", "Enter", "PageDown", Boot(1), Tick(99999))
    assert state.choice is None
    assert after(state, "Enter").notice == "There is no entry to boot."
    assert status(after(state, "?")) == HELP_SHOWN
    assert after(state, "r").choice == Choice(Action.RESCAN)


def test_a_hotkey_selects_and_the_menu_s_own_letters_keep_their_meaning() -> None:
    items = (*entries(3), replace(entry(4), hotkey="x"), replace(entry(5), hotkey="j"))
    state = menu(items=items)
    assert after(state, "x").selected == 3
    assert after(state, "X").selected == 3
    assert after(state, "j").selected == 1
    assert after(state, "y").selected == 0
