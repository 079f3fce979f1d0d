"""The menu and a clock: from an open menu to a choice.

Knows only the two things a terminal can do, show a state and say what happened; the same loop drives a full screen and
numbered lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chainboot.session.events import Event, Surroundings, Tick
from chainboot.session.screen import update
from chainboot.session.state import Choice, ScreenState

# How often a menu looks at what it shares with the others.
_POLL_DS = 10


class MenuTerminal(Protocol):
    """Where the menu is shown and keys come from."""

    def draw(self, state: ScreenState) -> None:
        """Show `state`. Never waits for a terminal that takes nothing."""
        ...

    def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
        """What happened, as soon as something does; () after `timeout_ds` tenths of a second (None: wait for ever)."""
        ...


def run_menu(
    state: ScreenState,
    terminal: MenuTerminal,
    clock: Callable[[], int],
    surroundings: Callable[[], Surroundings] | None = None,
    idle_ds: int = _POLL_DS,
) -> Choice:
    """Show the menu until the person, the timer or another session has decided.

    `clock` gives monotonic tenths of a second, the same clock that `open_menu` was given. `surroundings` says what this
    menu shares with others; it is asked every second, every `idle_ds` where nothing counts down, and after everything
    that happens. Errors of `terminal` pass.
    """
    asked: int | None = None
    while True:
        if surroundings is not None and (asked is None or clock() - asked >= _POLL_DS):
            asked = clock()
            state = update(state, surroundings())
        terminal.draw(state)
        if state.choice is not None:
            return state.choice
        for event in terminal.events(_patience(state, None if surroundings is None else idle_ds)):
            asked = None
            state = update(state, event)
        if state.choice is None:
            state = update(state, Tick(clock()))
        if state.choice is not None:
            terminal.draw(state)
            return state.choice


def _patience(state: ScreenState, idle_ds: int | None) -> int | None:
    """Tenths of a second until the countdown shows another number or the surroundings are to be looked at again."""
    if state.end_ds is None:
        return idle_ds
    left = max(state.end_ds - state.now_ds, 0)
    return min(left, _POLL_DS, left % 10 or 10)
