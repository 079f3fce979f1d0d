"""The verb `menu`: choosing an entry on this terminal of a running system, which nobody shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from chainboot.boot.candidate import Candidate
from chainboot.boot.volume import Configuration
from chainboot.session.choice import autoboot, menu_items, menu_title, remarks
from chainboot.session.clock import clock
from chainboot.session.loop import run_menu
from chainboot.session.screen import Abilities, Action, open_menu
from chainboot.session.terminal import open_terminal
from chainboot.session.trial_status import read_trials
from chainboot.settings import Settings

_USUAL = Abilities(can_shell=False, can_edit=True, can_quit=True)


class Choose(Protocol):
    """`choose_on_this_terminal`, or somebody in its place."""

    def __call__(
        self,
        configurations: Sequence[Configuration],
        among: Sequence[Candidate],
        *,
        abilities: Abilities,
        timer: bool,
        message: str,
        banner: Sequence[str],
    ) -> tuple[Candidate, str | None] | None: ...


def choose_on_this_terminal(
    configurations: Sequence[Configuration],
    among: Sequence[Candidate],
    *,
    abilities: Abilities = _USUAL,
    timer: bool = True,
    message: str = "",
    banner: Sequence[str] = (),
) -> tuple[Candidate, str | None] | None:
    """The verb `menu`: what a person chose and the command line they typed instead, or None if they left.

    Without `timer` nothing boots by itself. `message` is why the menu is there again; `banner` are lines on top.
    """
    decided = autoboot(configurations, among, Settings(), {})
    if timer:
        message = message or decided.surprise
    else:
        decided = replace(decided, timeout_ds=None, total_timeout_ds=None)
    trials = read_trials(configurations)
    while True:
        state = open_menu(
            menu_items(among, trials),
            default=decided.default,
            timer=decided.index,
            timer_cmdline=decided.cmdline,
            timeout_ds=decided.timeout_ds,
            total_timeout_ds=decided.total_timeout_ds,
            now_ds=clock(),
            title=menu_title(configurations),
            message=message,
            banner=(*banner, *remarks(configurations)),
            abilities=abilities,
        )
        with open_terminal() as terminal:
            choice = run_menu(state, terminal, clock)
        if choice.action is Action.BOOT and choice.index is not None:
            return among[choice.index - 1], choice.cmdline
        if choice.action is Action.QUIT:
            return None
        message = "The configuration was read when this menu was opened; leave it and start it again to read it anew."
        decided = replace(decided, timeout_ds=None, total_timeout_ds=None)
