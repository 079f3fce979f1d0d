"""Who logs in on a running system, and what they may ask for: arguments and environment of a login shell, as a stranger
can choose them. Does nothing of it; see `login_shell`.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from chainboot.errors import ChainbootError
from chainboot.remote.key_options import OptionError, forced_role
from chainboot.remote.role import Role, least, parse_role
from chainboot.session.person import Person, console_name, over_ssh
from chainboot.session.request import VERBS as FIRST_STAGE_VERBS
from chainboot.session.request import Verb
from chainboot.text import clip, printable

VERBS = (
    *(verb for verb in FIRST_STAGE_VERBS if verb.name in ("menu", "list", "show", "plan")),
    Verb("status", Role.VIEW, "which entry runs, which one is the default"),
    Verb("check", Role.VIEW, "what is wrong with the configuration, its entries and their files"),
    Verb(
        "boot", Role.BOOT, "stop all services and boot an entry; --append and --cmdline need the role edit",
        entry=True, options=("append", "cmdline", "dry-run", "json"),
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


@dataclass(frozen=True, slots=True)
class Login:
    """Who has come, and the words of the request; None: a person, who wants the menu."""

    person: Person
    words: str | None


def read_login(arguments: Sequence[str], environment: Mapping[str, str], account: str) -> Login:
    """The login of `account`, from what the SSH server starts its shell with: nothing, or `-c WORDS`
    (`-cWORDS` is the same).

    `--role` says what anyone may do at most; of several the least counts. Words that are a key's forced command,
    `chainboot login --role ROLE`, narrow that, and then the request is SSH_ORIGINAL_COMMAND. Raises `ChainbootError`.
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
            raise ChainbootError(f"a login shell takes nothing but -c WORDS, not {clip(word, 60) or 'an empty word'}")
    for name in given or [Role.BOOT.value]:
        known = parse_role(name)
        if known is None:
            raise ChainbootError(f"--role {clip(name, 60)!r} is none of {', '.join(each.value for each in Role)}")
        role = least(role, known)
    try:
        forced = forced_role(words or "")
    except OptionError as error:
        raise ChainbootError(f"the forced command of this key makes no sense: {error}") from error
    if forced is not None:
        role = least(role, forced)
        words = environment.get("SSH_ORIGINAL_COMMAND", "")
    return Login(_person(account, role, environment), words if words and words.strip() else None)


def _person(account: str, role: Role, environment: Mapping[str, str]) -> Person:
    if environment.get("SSH_CONNECTION", "").split():
        return over_ssh(role, account, environment)
    return Person(f"{clip(printable(account), 60)} at {printable(console_name())}", role, remote=True)


def forget(environment: MutableMapping[str, str]) -> None:
    """Leave nothing of the client's in the environment: not where programs are, and not what they are to do."""
    kept = {name: environment[name] for name in _KEPT if name in environment}
    environment.clear()
    environment.update(kept, PATH=_PATH, LC_ALL="C", HOME="/")
