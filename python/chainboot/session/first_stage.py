"""A session of the first stage, put together: the real disks, programs and files for one person."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainboot.boot.cmdline import split
from chainboot.boot.consoles import own_consoles
from chainboot.boot.sysappend import read_system
from chainboot.devices import FILE as FILE_OF_DEVICES
from chainboot.devices import problems
from chainboot.process import interact, run
from chainboot.session.attempts import Attempts
from chainboot.session.departure import Departure
from chainboot.session.log import Log
from chainboot.session.output import speak
from chainboot.session.overview import Overview
from chainboot.session.person import Person, at_console, console_name
from chainboot.session.presence import Presence
from chainboot.session.shared import Shared
from chainboot.settings import FILE, RUNTIME, Settings, read_settings

if TYPE_CHECKING:
    from chainboot.session.console import Console

_LARGEST_FILE = 1 << 16

CMDLINE = "/proc/cmdline"

# By this a command in a rescue shell knows whose shell it is.
PERSON = "CHAINBOOT_PERSON"
# The file by which first-stage/ssh-session holds the countdown until a session attaches.
_STARTING = "CHAINBOOT_STARTING"


@dataclass(frozen=True, slots=True)
class Session:
    """What one person's session works with. `complaints` are sentences about settings.

    `cmdline` and `active` are files: this kernel's command line, and the names of its consoles.
    """

    person: Person
    settings: Settings
    complaints: tuple[str, ...]
    overview: Overview
    departure: Departure
    log: Log
    say: Callable[[str], None]
    cmdline: str = CMDLINE
    active: str = "/sys/class/tty/console/active"

    def consoles(self) -> str:
        """The words that an entry gets which names no console (setting `add_console`)."""
        if not self.settings.add_console:
            return ""
        return own_consoles(_text(self.cmdline), _text(self.active))

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the devices of the setting s390x.devices now."""
        return problems(_text(f"{RUNTIME}/{FILE_OF_DEVICES}"))


def open_session(
    person: Person,
    say: Callable[[str], None],
    *,
    owned: bool = False,
    read: Callable[[], tuple[Settings, tuple[str, ...]]] = lambda: machine_settings(),
) -> Session:
    """A session of `person`; `say` prints a line for them. `owned`: it is a command within another session."""
    settings, complaints = read()
    presence = Presence(name=person.name, remote=person.remote, starting=os.environ.pop(_STARTING, ""))
    shared, log = Shared(), Log()
    return Session(
        person=person,
        settings=settings,
        complaints=complaints,
        overview=Overview(person, settings, presence, shared),
        departure=Departure(
            run,
            person,
            presence,
            shared,
            log,
            say,
            RUNTIME,
            owned,
            settings.installed,
            Attempts(run, settings, log, RUNTIME),
        ),
        log=log,
        say=say,
    )


def machine_settings() -> tuple[Settings, tuple[str, ...]]:
    """The settings of this first stage, and sentences about what is wrong with them."""
    return read_settings(_text(FILE), split(_text(CMDLINE)))


def menu(session: Session) -> Console:
    """The menu of a session."""
    from chainboot.session.console import Console  # late: a verb does without the menu

    def ask(words: str) -> tuple[str, ...]:
        from chainboot.session.login import typed  # late: most menus do without

        return typed(session, words)

    # Whoever boots meanwhile does not wait for a shell; the person in it is told by the menu it falls back to.
    leaving = session.overview.leaving
    # Commands that come through a pipe want their own output alone, without prompts.
    argv = ["/bin/sh", "-i"] if os.isatty(0) else ["/bin/sh"]
    environment = {"PS1": "chainboot# ", "ENV": "/usr/lib/chainboot/shell.sh", PERSON: session.person.name}
    return Console(
        run=run,
        overview=session.overview,
        departure=session.departure,
        log=session.log,
        rescue=lambda: interact(argv, extra_env=environment, stop=lambda: bool(leaving())),
        complaints=session.complaints,
        say=session.say,
        strings=read_system(),
        consoles=session.consoles(),
        problems=session.problems,
        ask=ask,
    )


def serve_console() -> int:
    """The verb `console` of the first stage: the menu on this console. Returns an exit code."""
    return menu(open_session(at_console(console_name()), speak)).serve()


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(_LARGEST_FILE)
    except OSError:
        return ""
