"""Who logs in on a running system, and what they may ask for: arguments and environment of a login shell, as a stranger
can choose them. Does nothing of it; see `login_shell`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from chainboot.remote.key_options import OptionError, forced_role
from chainboot.remote.role import Role, least, parse_role
from chainboot.session.person import Person, console_name, over_ssh
from chainboot.session.request import VERBS as FIRST_STAGE_VERBS
from chainboot.session.request import RequestError, Verb
from chainboot.text import clip, printable

VERBS = (
    *(verb for verb in FIRST_STAGE_VERBS if verb.name in ("menu", "list", "show", "plan", "next", "rollback")),
    Verb("status", Role.VIEW, "which entry runs and as what, which one is the default, which one is next"),
    Verb("check", Role.VIEW, "what is wrong with the configuration, its entries and their files"),
    Verb(
        "boot", Role.BOOT, "stop all services and boot an entry; --append and --cmdline need the role edit",
        entry=True, options=("append", "cmdline", "dry-run", "json"),
    ),
    Verb("confirm", Role.BOOT, "say that this system has proved itself", options=()),
    Verb(
        "set-default", Role.EDIT, "make an entry the default, in the configuration file",
        entry=True, options=("force", "dry-run"),
    ),
    Verb("help", Role.VIEW, "this table; no role gives a shell here"),
)  # fmt: skip

# Verbs of the first stage, and why a running system does not have them.
ELSEWHERE = {
    **dict.fromkeys(("hold", "resume"), "nothing counts down in a running system"),
    "rescan": "the configuration is read anew for every request",
    "log": "the system has it in its journal",
    **dict.fromkeys(("reboot", "poweroff"), "this login boots entries, and the system has its own command for that"),
    **dict.fromkeys(("shell", "chroot"), "this login gives no shell, whatever the role; the first stage does"),
}

# Programs are looked for where root has put them, whatever the client's environment says: NixOS, and the others.
_PATH = "/run/current-system/sw/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT = ("TERM",)

_NOBODY = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Login:
    """Who has come, and the words of the request; None: a person, who wants the menu."""

    person: Person
    words: str | None


def read_login(arguments: Sequence[str], environment: Mapping[str, str], account: str) -> Login:
    """The login of `account`, from what the SSH server starts its shell with: nothing, or `-c WORDS`
    (`-cWORDS` is the same).

    `--role` says what anyone may do at most; of several the least counts. Words that are a key's forced command,
    `chainboot login --role ROLE`, narrow that, and then the request is SSH_ORIGINAL_COMMAND. Raises `RequestError`.
    """
    role = Role.ADMIN
    given: list[str] = []
    words: str | None = None
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=")
        if name == "--role":
            given.append(value if equals else next(rest, ""))
        elif word.startswith("-c") and words is None:
            words = word[2:] or next(rest, "")
        else:
            raise _misused(f"a login shell takes nothing but -c WORDS, not {clip(word, 60) or 'an empty word'}")
    for name in given or [Role.BOOT.value]:
        known = parse_role(name)
        if known is None:
            raise _misused(f"--role {clip(name, 60)!r} is none of {', '.join(each.value for each in Role)}")
        role = least(role, known)
    try:
        forced = forced_role(words or "")
    except OptionError as error:
        raise _misused(f"the forced command of this key makes no sense: {error}") from error
    if forced is not None:
        role = least(role, forced)
        words = environment.get("SSH_ORIGINAL_COMMAND", "")
    return Login(read_person(account, role, environment), words if words and words.strip() else None)


def _misused(message: str) -> RequestError:
    return RequestError(message, 2)


def read_account(environment: Mapping[str, str], loginuid: str = "/proc/self/loginuid") -> str:
    """The user who logged in, whoever this process runs as now.

    Kernel Documentation/ABI/stable/procfs-audit_loginuid: `loginuid` is set at the login and handed on; -1 is nobody.
    Where nobody has set it, a process of root's believes sudo(8).
    """
    import pwd  # late: the first stage has no such module

    try:
        with open(loginuid, encoding="ascii") as file:
            user = int(file.read())
    except (OSError, ValueError):
        user = _NOBODY
    if user == _NOBODY:
        told = environment.get("SUDO_USER", "")
        if told and os.getuid() == 0:
            return told
        user = os.getuid()
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def read_person(account: str, role: Role, environment: Mapping[str, str]) -> Person:
    """Somebody with this `account`, at the address that the SSH server tells or at a terminal."""
    if environment.get("SSH_CONNECTION", "").split():
        return over_ssh(role, account, environment)
    return Person(f"{clip(printable(account), 60)} at {printable(console_name())}", role, remote=True)


def forget(environment: MutableMapping[str, str]) -> None:
    """Leave nothing of the client's in the environment: not where programs are, and not what they are to do."""
    kept = {name: environment[name] for name in _KEPT if name in environment}
    environment.clear()
    environment.update(kept, PATH=_PATH, LC_ALL="C", HOME="/")
