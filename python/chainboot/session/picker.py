"""The verb `menu`: choosing an entry on this terminal of a running system, which nobody shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainboot.boot.candidate import Candidate
from chainboot.boot.volume import Configuration
from chainboot.session.choice import autoboot, menu_items, menu_title, remarks
from chainboot.session.clock import clock
from chainboot.session.loop import run_menu
from chainboot.session.screen import Abilities, Action, open_menu
from chainboot.session.terminal import open_terminal
from chainboot.settings import Settings


def choose_on_this_terminal(
    configurations: Sequence[Configuration], among: Sequence[Candidate]
) -> tuple[Candidate, str | None] | None:
    """The verb `menu`: what a person chose and the command line they typed instead, or None if they left."""
    decided = autoboot(configurations, among, Settings(), {})
    message = decided.surprise
    while True:
        state = open_menu(
            menu_items(among),
            default=decided.default,
            timer=decided.index,
            timer_cmdline=decided.cmdline,
            timeout_ds=decided.timeout_ds,
            total_timeout_ds=decided.total_timeout_ds,
            now_ds=clock(),
            title=menu_title(configurations),
            message=message,
            banner=remarks(configurations),
            abilities=Abilities(can_shell=False, can_edit=True, can_quit=True),
        )
        with open_terminal() as terminal:
            choice = run_menu(state, terminal, clock)
        if choice.action is Action.BOOT and choice.index is not None:
            return among[choice.index - 1], choice.cmdline
        if choice.action is Action.QUIT:
            return None
        message = "The configuration was read when this menu was opened; leave it and start it again to read it anew."
        decided = replace(decided, timeout_ds=None, total_timeout_ds=None)
