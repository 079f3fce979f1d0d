"""The login shell of SSH: the menu, or one verb with what the key may do.

Runs as the forced command of a key, so nothing that a client asks for is executed: it is read from
SSH_ORIGINAL_COMMAND, and `request` decides.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from chainboot.errors import ChainbootError
from chainboot.remote.authorized_keys import keyed
from chainboot.remote.role import Role, parse_role
from chainboot.session.log import Log
from chainboot.session.person import Person, over_ssh
from chainboot.session.request import Request, RequestError, parse
from chainboot.settings import RUNTIME

if TYPE_CHECKING:
    from chainboot.session.first_stage import Session
    from chainboot.session.verbs import Answer, Verbs

# What the wrapper (first-stage/ssh-session) asks for: a file that is there while Python works, and the descriptor where
# talk belongs from then on; until then its file takes what Python itself has to complain about.
_ALIVE = "CHAINBOOT_ALIVE"
_STDERR = "CHAINBOOT_STDERR"
_KEYS = f"{RUNTIME}/ssh/authorized_keys"
_LARGEST = 1 << 20


def usage() -> str:
    """How the forced command is written."""
    return "login --role view|boot|edit|admin [--key NUMBER]"


def person(arguments: Sequence[str]) -> Person:
    """Who logs in, from the words of the forced command after `login`. Raises `ChainbootError`: that file is ours."""
    given: dict[str, str] = {}
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=")
        given[name] = value if equals else next(rest, "")
    role: Role | None = parse_role(given.pop("--role", ""))
    number = given.pop("--key", "0")
    if role is None or given or not (number.isascii() and number.isdigit()):
        raise ChainbootError(f"the forced command of this key makes no sense; it is: {usage()}")
    key = keyed(_text(_KEYS), int(number)) if number != "0" else None
    return over_ssh(role, key.comment if key is not None else "", os.environ)


def alive() -> str | None:
    """Tell the wrapper that Python works. Returns the file to remove if it turns out that it does not."""
    path = os.environ.pop(_ALIVE, None)
    if path:
        with suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    talk = os.environ.pop(_STDERR, "")
    if talk.isascii() and talk.isdigit():
        with suppress(OSError):
            os.dup2(int(talk), 2)
            os.close(int(talk))
    return path


def request(words: str, who: Person) -> Request:
    """What was asked for in words; raises `RequestError`."""
    return parse(words, who.role)


def is_interactive(asked: Request) -> bool:
    """Whether a person, or a script in their place, goes on typing after this request."""
    return asked.verb in ("menu", "shell") or (asked.verb == "chroot" and not asked.dry_run)


def interactive(session: Session, asked: Request) -> int:
    """The menu, a shell, or a shell inside a system; returns an exit code."""
    if asked.verb == "chroot":
        from chainboot.process import interact, run
        from chainboot.session import rescue
        from chainboot.session.volumes import look

        return rescue.enter_system(
            rescue.plan(asked, look(run), run),
            run,
            interact,
            person=session.person,
            presence=session.overview.presence,
            log=session.log,
            look_again=session.overview.shared.look_again,
            say=session.say,
        )
    from chainboot.session.departure import CLOSING
    from chainboot.session.first_stage import menu

    console = menu(session)
    if asked.verb == "menu":
        return console.serve()
    session.overview.presence.attach()
    try:
        code = console.open_shell("ends the connection")
        told = session.overview.leaving()
        if code >= 0 or not told:
            return code
        # It was hung up on because the machine goes: that is no failure of the shell, and the person is to know why.
        session.say(told)
        session.say(CLOSING)
        return 0
    finally:
        session.overview.presence.detach()


def answer(session: Session, asked: Request) -> Answer:
    """The result of a verb; raises `ChainbootError`."""
    if asked.verb == "chroot":
        from chainboot.process import run
        from chainboot.session import rescue
        from chainboot.session.verbs import Answer
        from chainboot.session.volumes import look

        decided = rescue.plan(asked, look(run), run)
        return Answer(decided.describe(), rescue.plan_json(decided))
    return verbs(session).do(asked)


def verbs(session: Session) -> Verbs:
    """The verbs of a session, on the real machine."""
    from chainboot.boot.host import read_memory
    from chainboot.boot.sysappend import read_system
    from chainboot.process import run
    from chainboot.session.verbs import Verbs
    from chainboot.session.volumes import look

    return Verbs(
        run=run,
        overview=session.overview,
        departure=session.departure,
        log=session.log,
        discover=lambda: look(run),
        strings=read_system(),
        memory=read_memory,
        complaints=session.complaints,
        consoles=session.consoles(),
        problems=session.problems,
    )


def typed(session: Session, words: str) -> tuple[str, ...]:
    """The lines that answer a request typed into a menu of lines; raises `ChainbootError`."""
    try:
        asked = request(words, session.person)
    except RequestError as error:
        refused(session.person, error)
        raise
    given = answer(session, asked)
    return (*given.talk, *given.text.splitlines())


def refused(who: Person, error: RequestError) -> None:
    """Write down what was asked for and not given."""
    Log().write(who.name, f"was refused: {error.message}")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST)
    except OSError:
        return ""
