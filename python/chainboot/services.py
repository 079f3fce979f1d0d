"""What sessions are served by: the verbs `console`, `login` and `prepare-ssh` for the scripts of the first stage, those
of its rescue shell, and `login-shell` for a running system.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainboot.errors import ChainbootError, RefusedError
from chainboot.streams import print_json, talk
from chainboot.text import printable
from chainboot.verbs import FIRST_STAGE, VERBS

if TYPE_CHECKING:
    from chainboot.session.person import Person
    from chainboot.session.request import Request, RequestError
    from chainboot.session.verbs import Answer

EXIT_NO_KEYS = 3

# The verbs of SSH that a rescue shell has too.
LOCAL = (
    *("list", "show", "plan", "status", "log", "boot", "next", "rollback", "set-default", "hold", "resume", "rescan"),
    *("reboot", "poweroff", "chroot"),
)


@dataclass(frozen=True, slots=True)
class Done:
    """A request that was done: its exit code, and the answer that is still to be printed."""

    code: int
    answer: Answer | None = None
    json: bool = False


def serve(arguments: Sequence[str]) -> int:
    """Do what the script asks for. Returns an exit code; raises `ChainbootError`."""
    if arguments[0] == "login":
        return login(arguments[1:])
    if len(arguments) > 1:
        raise ChainbootError(f"{arguments[0]} takes no argument: it is for the scripts of the first stage")
    return console() if arguments[0] == "console" else prepare_ssh()


def console() -> int:
    """The menu on this console."""
    from chainboot.session.first_stage import serve_console

    return serve_console()


def login(arguments: Sequence[str]) -> int:
    """The login shell of SSH; see `chainboot.session.login`."""
    from chainboot.session import login

    marker = login.alive()
    try:
        done = _do(login.person(arguments), os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    except (ChainbootError, KeyboardInterrupt):
        raise
    except Exception:
        # A defect of ours, or a machine that has no room for a file: the wrapper gives an administrator a shell where
        # it does not find its marker.
        with suppress(OSError):
            os.unlink(marker or "")
        raise
    return _print(done)


def login_shell(arguments: Sequence[str]) -> int:
    """The login shell of a user of a running system; see `chainboot.session.login_shell`."""
    if os.path.exists(FIRST_STAGE):  # its image need not have what follows
        raise RefusedError("login-shell is for a running system", hint="`chainboot login` is the first stage's")
    from chainboot.process import run
    from chainboot.session.login_shell import LoginShell
    from chainboot.session.request import RequestError
    from chainboot.session.visitor import forget, read_account, read_login

    try:
        login = read_login(arguments, os.environ, read_account(os.environ))
        forget(os.environ)
        os.chdir("/")
        os.umask(0o077)
        session = LoginShell(login.person, run, _say, _on_running(login.person))
        asked = session.parse(login.words)
    except RequestError as error:
        return _refused(error).code
    code, answer = session.do(asked)
    return _print(Done(code, answer, json=asked.json))


def _say(text: str) -> None:
    talk(f"chainboot: {printable(text)}")


def _on_running(person: Person) -> Callable[[Request], int]:
    """Does a verb that the command line has too, without any of its options that name a place."""

    def do(asked: Request) -> int:
        import argparse

        return VERBS[asked.verb](
            argparse.Namespace(
                entry=asked.entry,
                append=list(asked.append),
                cmdline=asked.cmdline,
                json=asked.json,
                once=asked.once,
                clear=asked.clear,
                who=person.name,
                path=None,
                root=None,
                config=None,
                all=False,
                dry_run=asked.dry_run,
                force=asked.force,
                by_login=False,
            )
        )

    return do


def is_local(arguments: Sequence[str]) -> bool:
    """Whether these words, typed into a rescue shell of the first stage, are for the machine as a whole.

    Where they name a directory or a file it is read as on any system.
    """
    if arguments[0] not in LOCAL or any(word.startswith(("--root", "--config", "--help", "-h")) for word in arguments):
        return False
    names = sum(not word.startswith("-") for word in arguments[1:])
    return names <= {"list": 0, "set-default": 1}.get(arguments[0], names)


def local(arguments: Sequence[str]) -> int:
    """A verb as over SSH, typed into a rescue shell: whoever has that may do everything."""
    import shlex

    from chainboot.remote.role import Role
    from chainboot.session.first_stage import PERSON
    from chainboot.session.person import Person, console_name

    name = os.environ.get(PERSON) or f"somebody at {console_name()}"
    person = Person(name, Role.ADMIN, remote="SSH_CONNECTION" in os.environ)
    return _print(_do(person, shlex.join(arguments), owned=True))


def _do(person: Person, request: str, *, owned: bool = False) -> Done:
    """Do what was asked for in words, if the person may have it. What is left is to print the result."""
    from chainboot.session import login
    from chainboot.session.request import RequestError

    try:
        asked = login.request(request, person)
    except RequestError as error:
        login.refused(person, error)
        return _refused(error)
    from chainboot.session.first_stage import open_session  # late: a refusal does without
    from chainboot.session.output import speak

    session = open_session(person, lambda text: speak(text, 2), owned=owned)
    if login.is_interactive(asked):
        return Done(login.interactive(session, asked))
    return Done(0, login.answer(session, asked), json=asked.json)


def _refused(error: RequestError) -> Done:
    talk(f"chainboot: {printable(error.message)}" + (f" ({printable(error.hint)})" if error.hint else ""))
    return Done(error.code)


def _print(done: Done) -> int:
    answer = done.answer
    if answer is not None:
        for line in answer.talk:
            talk(f"chainboot: {printable(line)}")
        if done.json:
            print_json(answer.json)
        else:
            print(answer.text, end="")
    return done.code


def prepare_ssh() -> int:
    """What serve-ssh runs before the server: keys and host key in their places."""
    from chainboot.process import run
    from chainboot.remote.prepare import prepare
    from chainboot.session.first_stage import machine_settings
    from chainboot.session.volumes import look

    outcome = prepare(run, settings=machine_settings()[0], discovery=look(run))
    for problem in outcome.problems:
        talk(f"chainboot: ssh: {printable(problem)}")
    return 0 if outcome.serve else EXIT_NO_KEYS
