"""The loop: a terminal and a clock that a test moves."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from session.menus import menu

from chainboot.session.events import Event, Key, Surroundings
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


class Shared:
    """What all views share, as a test has it: somebody is elsewhere for a while, and a grace period follows."""

    def __init__(self, script: Script, deadline_ds: int | None, *, held: tuple[int, int] = (0, 0)) -> None:
        self.script, self.deadline_ds, self.held = script, deadline_ds, held
        self.asked: list[int] = []

    def __call__(self) -> Surroundings:
        self.asked.append(self.script.now)
        if self.held[0] <= self.script.now < self.held[1]:
            return Surroundings(others=("anna",))
        grace = self.held[1] + 100 if self.held[1] and self.script.now >= self.held[1] else self.deadline_ds
        return Surroundings(deadline_ds=grace)


def test_somebody_elsewhere_holds_the_countdown_and_a_grace_period_follows() -> None:
    script = Script()
    shared = Shared(script, 1050, held=(1020, 3000))
    choice = run_menu(menu(timeout_ds=50), script, script.clock, shared)
    assert choice == Choice(Action.BOOT, 1, by_timer=True)
    assert script.now == 3100
    assert "countdown held" in " ".join(script.drawn)


def test_what_is_shared_wins_over_what_the_menu_was_opened_with() -> None:
    script = Script()
    assert run_menu(menu(timeout_ds=50), script, script.clock, lambda: Surroundings(deadline_ds=1500)).by_timer
    assert script.now == 1500
    assert script.drawn[0].endswith("booting in 50 s"), "no other number was shown before"


def test_the_surroundings_are_looked_at_every_second_and_less_often_where_nothing_counts_down() -> None:
    script = Script([(1055, Key("Enter"))])
    shared = Shared(script, None)
    run_menu(menu(), script, script.clock, shared, 20)
    assert shared.asked == [1000, 1020, 1040]
    assert script.waited == [20, 20, 20], "it wakes up to look, though nothing counts down"
    script = Script([(1035, Key("Enter"))])
    shared = Shared(script, 9000)
    run_menu(menu(), script, script.clock, shared, 20)
    assert shared.asked == [1000, 1010, 1020, 1030]


def test_the_surroundings_are_looked_at_after_everything_that_happens() -> None:
    script = Script([(1003, Key("j")), (1004, Key("k")), (1005, Key("Enter"))])
    shared = Shared(script, None)
    run_menu(menu(), script, script.clock, shared)
    assert shared.asked == [1000, 1003, 1004]


def test_a_key_here_stops_the_countdown_only_by_way_of_what_is_shared() -> None:
    script = Script([(1010, Key("j"))])
    choice = run_menu(menu(), script, script.clock, lambda: Surroundings(deadline_ds=1050))
    assert choice == Choice(Action.BOOT, 1, by_timer=True), "nobody has written down that somebody is here"


def test_the_machine_leaves_whatever_is_going_on_here() -> None:
    script = Script([(1003, Key("e"))])
    told = iter([Surroundings(), Surroundings(leaving="booting nixos-41-default")])
    assert run_menu(menu(), script, script.clock, lambda: next(told)) == Choice(Action.LEAVE)
    assert script.waited == [10]


def test_events_after_the_decision_are_dropped() -> None:
    class Burst(Script):
        def events(self, timeout_ds: int | None) -> tuple[Event, ...]:  # noqa: ARG002
            return (Key("j"), Key("Enter"), Key("s"), Key("k"))

    script = Burst()
    assert run_menu(menu(), script, script.clock) == Choice(Action.BOOT, 2)
