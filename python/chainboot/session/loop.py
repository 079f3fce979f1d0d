"""The menu and a clock: from an open menu to a choice.

Knows only the two things a terminal can do, show a state and say what happened; the same loop drives a full screen and
numbered lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chainboot.session.events import Event, Hold, Tick
from chainboot.session.screen import update
from chainboot.session.state import Choice, ScreenState

_HOLD_POLL_DS = 10


class MenuTerminal(Protocol):
    """Where the menu is shown and keys come from."""

    def draw(self, state: ScreenState) -> None:
        """Show `state`. Never waits for a terminal that takes nothing."""
        ...

    def events(self, timeout_ds: int | None) -> tuple[Event, ...]:
        """What happened, as soon as something does; () after `timeout_ds` tenths of a second (None: wait for ever)."""
        ...


def _nobody() -> bool:
    return False


def run_menu(
    state: ScreenState,
    terminal: MenuTerminal,
    clock: Callable[[], int],
    hold: Callable[[], bool] = _nobody,
) -> Choice:
    """Show the menu until the person or the timer has decided.

    `clock` gives monotonic tenths of a second, the same clock that `open_menu` was given. `hold` says whether somebody
    is attached elsewhere; it is asked about every second while there is a countdown. Errors of `terminal` pass.
    """
    asked: int | None = None
    while True:
        if state.end_ds is not None and (asked is None or clock() - asked >= _HOLD_POLL_DS):
            asked = clock()
            state = update(state, Hold(hold()))
        terminal.draw(state)
        for event in terminal.events(_patience(state)):
            state = update(state, event)
        if state.choice is None:
            state = update(state, Tick(clock()))
        if state.choice is not None:
            terminal.draw(state)
            return state.choice


def _patience(state: ScreenState) -> int | None:
    """Tenths of a second until the countdown shows another number or `hold` is to be asked again."""
    if state.end_ds is None:
        return None
    left = max(state.end_ds - state.now_ds, 0)
    if state.held:
        return _HOLD_POLL_DS
    return min(left, _HOLD_POLL_DS, left % 10 or 10)
