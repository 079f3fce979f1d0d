"""The loop: a terminal and a clock that a test moves."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from session.menus import menu

from chainboot.session.events import Event, Key
from chainboot.session.loop import run_menu
from chainboot.session.screen import Action, Choice, ScreenState, status


class Script:
    """A terminal on which things happen at given times; waiting moves the clock. What was drawn is kept."""

    def __init__(self, happens: Iterable[tuple[int, Event]] = ()) -> None:
        self.now = 1000
        self.happens = list(happens)
        self.drawn: list[str] = []
        self.waited: list[int | None] = []

    def clock(self) -> int:
        return self.now

    def draw(self, state: ScreenState) -> None:
        if not self.drawn or self.drawn[-1] != status(state):
            self.drawn.append(status(state))

    def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
        self.waited.append(timeout_ds)
        until = None if timeout_ds is None else self.now + timeout_ds
        if self.happens and (until is None or self.happens[0][0] <= until):
            at, event = self.happens.pop(0)
            self.now = max(self.now, at)
            return (event,)
        assert until is not None, "waits for ever for nothing"
        self.now = until
        return ()


def test_the_countdown_is_drawn_every_second_and_ends_on_time() -> None:
    script = Script()
    assert run_menu(menu(timeout_ds=25), script, script.clock) == Choice(Action.BOOT, 1, by_timer=True)
    assert [line.rpartition(", ")[2] for line in script.drawn] == [f"booting in {n} s" for n in (3, 2, 1, 0)]
    assert script.now == 1025


def test_without_a_countdown_nothing_wakes_up() -> None:
    script = Script([(5000, Key("j")), (9000, Key("Enter"))])
    assert run_menu(menu(timeout_ds=None), script, script.clock) == Choice(Action.BOOT, 2)
    assert set(script.waited) == {None}


@pytest.mark.parametrize(("at", "by_timer"), [(1049, False), (1050, False), (1051, True)])
def test_a_key_in_time_stops_the_countdown(at: int, by_timer: bool) -> None:
    script = Script([(at, Key("j")), (2000, Key("Enter"))])
    choice = run_menu(menu(), script, script.clock)
    assert choice == (Choice(Action.BOOT, 1, by_timer=True) if by_timer else Choice(Action.BOOT, 2))


def test_a_key_that_was_typed_before_the_menu_was_there_stops_even_a_boot_at_once() -> None:
    script = Script([(0, Key("j")), (2000, Key("Enter"))])
    assert run_menu(menu(timeout_ds=0), script, script.clock) == Choice(Action.BOOT, 2)


def test_boot_at_once_waits_for_nothing() -> None:
    script = Script()
    assert run_menu(menu(timeout_ds=0), script, script.clock).by_timer
    assert script.waited == [0]


def test_somebody_elsewhere_holds_the_countdown_and_a_grace_period_follows() -> None:
    script = Script()
    choice = run_menu(menu(timeout_ds=50), script, script.clock, lambda: 1020 <= script.now < 3000)
    assert choice == Choice(Action.BOOT, 1, by_timer=True)
    assert 3100 <= script.now <= 3110
    assert "countdown held" in " ".join(script.drawn)


def test_hold_is_asked_about_every_second_and_not_without_a_countdown() -> None:
    script = Script([(1042, Key("j")), (9000, Key("Enter"))])
    asked: list[int] = []

    def hold() -> bool:
        asked.append(script.now)
        return False

    run_menu(menu(), script, script.clock, hold)
    assert asked == [1000, 1010, 1020, 1030, 1040]


def test_events_after_the_decision_are_dropped() -> None:
    class Burst(Script):
        def events(self, timeout_ds: int | None) -> tuple[Event, ...]:  # noqa: ARG002
            return (Key("j"), Key("Enter"), Key("s"), Key("k"))

    script = Burst()
    assert run_menu(menu(), script, script.clock) == Choice(Action.BOOT, 2)
