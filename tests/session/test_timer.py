"""What time makes of the menu, and who stops or holds it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from session.menus import COMMAND_LINE, after, entry, menu

from chainboot.session.events import Boot, Edit, EndOfInput, Event, Key, Replace, Resize, Surroundings, Tick
from chainboot.session.screen import (
    READY,
    Action,
    Choice,
    status,
    update,
)
from chainboot.session.state import Mode, countdown


def test_the_countdown_shows_seconds_rounded_up_and_then_boots_the_default() -> None:
    state = menu(timeout_ds=50)
    shown = []
    for now in (1000, 1001, 1009, 1010, 1011, 1049):
        state = after(state, Tick(now))
        shown.append(state.seconds_left)
        assert state.choice is None
    assert shown == [5, 5, 5, 4, 4, 1]
    assert after(state, Tick(1050)).choice == Choice(Action.BOOT, 1, by_timer=True)
    assert after(state, Tick(9999)).choice == Choice(Action.BOOT, 1, by_timer=True)


def test_time_boots_the_default_not_the_selection() -> None:
    state = menu(default=4)
    assert state.selected == 3
    assert after(state, Tick(1050)).choice == Choice(Action.BOOT, 4, by_timer=True)


@pytest.mark.parametrize("event", [Key("j"), Key("Unknown"), Key("Escape"), Key("q"), Boot(99), Edit(99), Replace("x")])
def test_whatever_a_person_does_stops_the_countdown(event: Event) -> None:
    state = after(menu(), event)
    assert state.deadline_ds is None
    assert after(state, Tick(99999)).choice is None


@pytest.mark.parametrize("event", [Resize(40, 10), Tick(1001), EndOfInput(), Surroundings(deadline_ds=1050)])
def test_what_no_person_does_leaves_the_countdown_alone(event: Event) -> None:
    assert after(menu(), event, Tick(1050)).choice == Choice(Action.BOOT, 1, by_timer=True)


def test_no_time_boots_at_once_and_for_ever_never() -> None:
    assert after(menu(timeout_ds=0), Tick(1000)).choice == Choice(Action.BOOT, 1, by_timer=True)
    assert after(menu(timeout_ds=None), Tick(10**9)).choice is None


ELSEWHERE = Surroundings(others=("anna@laptop",))


def test_somebody_elsewhere_holds_the_countdown() -> None:
    held = after(menu(), Tick(1045), ELSEWHERE, Tick(9000))
    assert held.choice is None
    assert status(held) == f"{READY}: 5 entries, default nixos-default, countdown held"
    # How long it runs after the last one has left is written down for all views (`countdown`).
    freed = after(held, Surroundings(deadline_ds=9300))
    assert freed.deadline_ds == 9300
    assert after(freed, Tick(9299)).choice is None
    assert after(freed, Tick(9300)).choice == Choice(Action.BOOT, 1, by_timer=True)


def test_nobody_elsewhere_restarts_a_countdown_while_somebody_is_here() -> None:
    here = Surroundings(attached=True)
    state = after(menu(), "j", here, ELSEWHERE, here, Tick(99999))
    assert state.choice is None
    assert status(state).endswith("countdown stopped")


@pytest.mark.parametrize(
    ("seen", "line", "sentence"),
    [
        (
            Surroundings(deadline_ds=1050),
            "booting in 5 s",
            "Booting in 5 s: nixos-default. Any key stops the countdown.",
        ),
        (
            Surroundings(total_deadline_ds=1300, attached=True),
            "booting in 30 s",
            "Booting in 30 s: nixos-default. No key stops that (TOTALTIMEOUT).",
        ),
        (Surroundings(attached=True), "countdown stopped", "nixos-default does not boot by itself while you are here."),
        (
            ELSEWHERE,
            "countdown held",
            "Held by anna@laptop: nixos-default does not boot by itself.",
        ),
        (
            Surroundings(others=("a", "b", "c", "d", "e")),
            "countdown held",
            "Held by a, b, c and 2 more: nixos-default does not boot by itself.",
        ),
        (
            Surroundings(others=("a", "b"), attached=True),
            "countdown stopped",
            "Held by a and b: nixos-default does not boot by itself.",
        ),
        (
            Surroundings(others=("a\x1b[2J\u202e",)),
            "countdown held",
            "Held by a\ufffd[2J\ufffd: nixos-default does not boot by itself.",
        ),
        (
            Surroundings(waiting="the network is not up yet"),
            "countdown not begun",
            "nixos-default boots by itself, but not yet: the network is not up yet.",
        ),
        (Surroundings(), "countdown stopped", ""),
    ],
)
def test_why_it_counts_or_does_not_is_told(seen: Surroundings, line: str, sentence: str) -> None:
    state = after(menu(), seen)
    assert status(state) == f"{READY}: 5 entries, default nixos-default, {line}"
    assert countdown(state) == sentence


def test_where_nothing_boots_by_itself_nothing_holds_it() -> None:
    state = after(menu(timeout_ds=None), ELSEWHERE)
    assert status(state).endswith(", waiting")
    assert countdown(state) == ""


def test_the_machine_leaves_whatever_a_person_does_here() -> None:
    for state in (menu(), after(menu(), "e", "x"), after(menu(), "?"), menu(0)):
        assert after(state, Surroundings(leaving="booting")).choice == Choice(Action.LEAVE)


def test_looking_again_waits_for_a_person_who_is_typing() -> None:
    again = Surroundings(attached=True, look_again=True)
    assert after(menu(), again).choice == Choice(Action.RESCAN, by_timer=True)
    for state in (after(menu(), "e"), after(menu(), "?"), after(menu(20), "1")):
        assert after(state, again).choice is None
    assert after(menu(), "e", again, "Escape", again).choice == Choice(Action.RESCAN, by_timer=True)


def test_the_banner_is_what_is_known_now() -> None:
    assert after(menu(banner=("old",)), Surroundings(facts=("ssh root@192.0.2.7",))).banner == ("ssh root@192.0.2.7",)


@pytest.mark.parametrize(
    ("default", "message"),
    [
        (None, "No entry boots by itself: the menu waits."),
        (99, "No entry boots by itself: the menu waits."),
        (
            3,
            "The default nixos-40-default cannot boot (the kernel /boot/nixos/k0-bzImage does not exist): "
            "the menu waits.",
        ),
    ],
)
def test_without_a_default_that_can_boot_nothing_boots_by_itself(default: int | None, message: str) -> None:
    state = menu(default=default)
    assert state.message == message
    assert after(state, Tick(99999)).choice is None
    assert status(state).endswith(", waiting")


def test_the_first_entry_that_can_boot_is_selected_without_a_default() -> None:
    assert menu(items=(entry(3), entry(4)), default=None).selected == 1


def test_at_the_end_of_input_only_a_countdown_can_decide() -> None:
    assert after(menu(timeout_ds=None), EndOfInput()).choice == Choice(Action.QUIT)
    assert after(menu(), "j", EndOfInput()).choice == Choice(Action.QUIT)
    assert after(menu(), EndOfInput()).choice is None


def test_a_decision_is_final() -> None:
    decided = after(menu(), "Enter")
    for event in (Key("s"), Tick(99999), ELSEWHERE, Surroundings(leaving="x"), Resize(1, 1), EndOfInput()):
        assert update(decided, event) is decided


def test_a_command_line_typed_anew() -> None:
    assert after(menu(), Edit(2), Replace("a b")).choice == Choice(Action.BOOT, 2, "a b")
    assert after(menu(), Edit(2), Replace(COMMAND_LINE)).choice == Choice(Action.BOOT, 2)
    assert after(menu(), Replace("a b")).choice is None


def test_the_timer_may_boot_another_entry_than_the_default() -> None:
    state = menu(timer=4, timer_cmdline="single")
    assert (state.default, state.selected) == (1, 0)
    assert countdown(state) == "Booting in 5 s: nixos-39-default. Any key stops the countdown."
    assert after(state, Tick(1050)).choice == Choice(Action.BOOT, 4, "single", by_timer=True)
    assert after(state, "Enter").choice == Choice(Action.BOOT, 1)


def test_no_key_stops_the_total_timeout() -> None:
    state = after(menu(timeout_ds=50, total_timeout_ds=300), "Down")
    assert countdown(state) == "Booting in 30 s: nixos-default. No key stops that (TOTALTIMEOUT)."
    assert after(state, Tick(1299)).choice is None
    assert after(state, Tick(1300)).choice == Choice(Action.BOOT, 1, by_timer=True)


def test_the_total_timeout_alone_waits_for_nobody() -> None:
    state = menu(timeout_ds=None, total_timeout_ds=300)
    assert status(state).endswith("booting in 30 s")
    assert after(state, EndOfInput()).choice is None
    assert after(state, Tick(1300)).choice == Choice(Action.BOOT, 1, by_timer=True)


def test_the_total_timeout_waits_for_the_editor_and_for_others() -> None:
    editing = after(menu(total_timeout_ds=300), "e", Tick(1400))
    assert editing.choice is None
    assert after(editing, "Escape", Tick(1401)).choice == Choice(Action.BOOT, 1, by_timer=True)
    held = after(menu(total_timeout_ds=300), ELSEWHERE, Tick(1400))
    assert held.choice is None
    back = after(held, Surroundings(total_deadline_ds=1700), Tick(1699))
    assert back.choice is None
    assert after(back, Tick(1700)).choice == Choice(Action.BOOT, 1, by_timer=True)


@pytest.mark.parametrize("seen", [Surroundings(deadline_ds=1700), Surroundings(total_deadline_ds=1700)])
def test_an_editor_that_nobody_is_at_does_not_keep_the_machine(seen: Surroundings) -> None:
    editing = after(menu(), "e", "x", replace(seen, attached=True))
    assert editing.mode is Mode.EDIT, "somebody is here"
    assert after(editing, Surroundings(others=("anna@laptop",))).mode is Mode.EDIT, "nothing counts down"
    left = after(editing, seen)
    assert (left.mode, left.editor) == (Mode.LIST, None)
    assert after(left, Tick(1699)).choice is None
    assert after(left, Tick(1700)).choice == Choice(Action.BOOT, 1, by_timer=True), "not with what was typed"


def test_a_timer_entry_that_cannot_boot_makes_the_menu_wait() -> None:
    state = menu(timer=3, total_timeout_ds=300)
    assert state.end_ds is None
    assert "cannot boot" in state.message
