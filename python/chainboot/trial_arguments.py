"""The command line of the verbs about trial boots, beside `arguments`. Knows nothing of what a verb does."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

Parser = TypeVar("Parser", bound=argparse.ArgumentParser)
Add = Callable[[argparse.ArgumentParser], None]


def add_trial_verbs(verbs: argparse._SubParsersAction[Parser], common: Add, as_json: Add) -> None:
    """The verbs of `trial_verbs`. `common` adds the options that every verb has, `as_json` adds --json."""
    bless = verbs.add_parser("bless", help="say that this system has proved itself: the entry that it is, is good")
    confirm = verbs.add_parser("confirm", help="the same, said by a person")
    confirm.add_argument(
        "--by-login", action="store_true", help="only where somebody is logged in over SSH; else nothing is done"
    )
    confirm.add_argument(
        "--besides", action="append", default=[], metavar="USER", help="whose login does not count for --by-login"
    )
    expire = verbs.add_parser("expire", help="give this boot up, if it is a trial that has not proved itself")
    expire.add_argument("--why", metavar="TEXT", default="not blessed", help='what was missing; default: "not blessed"')
    expire.add_argument("--reboot", action="store_true", help="and restart the machine")
    following = verbs.add_parser("next", help="ask for an entry to be the next boot")
    following.add_argument("entry", nargs="?", metavar="ENTRY", help="a label or a number")
    following.add_argument("--once", action="store_true", help="for one boot; else until the default changes")
    following.add_argument("--clear", action="store_true", help="withdraw what was asked for")
    rollback = verbs.add_parser("rollback", help="ask for the newest good entry that is not the running one")
    status = verbs.add_parser("status", help="what was booted as what, how long is left, what boots next and why")
    for verb in (bless, confirm, expire, following, rollback, status):
        common(verb)
    for verb in (following, rollback, status):
        as_json(verb)
