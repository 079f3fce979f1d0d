"""What the words after `ssh host` ask for, and whether the key may have it. Pure.

The words arrive in SSH_ORIGINAL_COMMAND as one string. They are split as a shell would, and nothing else of a shell
happens: no variable, no pattern, no second command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chainboot.errors import ChainbootError
from chainboot.remote.role import Role
from chainboot.text import clip, printable

# Exit codes beyond those of the command line.
EXIT_NOT_ALLOWED = 5

_LONGEST = 16384
_SHOWN_CELLS = 60


@dataclass(frozen=True, slots=True)
class Verb:
    """A row of the table. `entry`: it takes an ENTRY; `options` without their dashes; `help` in a few words."""

    name: str
    role: Role
    help: str
    entry: bool = False
    options: tuple[str, ...] = ("json",)

    @property
    def usage(self) -> str:
        """The verb with what it takes."""
        shown = [f"[--{option}{' TEXT' if option in _WITH_VALUE else ''}]" for option in self.options]
        return " ".join([self.name, *(["[ENTRY]"] if self.entry else []), *shown])


_WITH_VALUE = ("append", "cmdline", "device", "subvol")

VERBS = (
    Verb("menu", Role.VIEW, "the menu, as without any word", options=()),
    Verb("list", Role.VIEW, "the entries, numbered, with the default"),
    Verb("show", Role.VIEW, "everything about one entry", entry=True),
    Verb("plan", Role.VIEW, "what booting an entry would run", entry=True, options=("append", "cmdline", "json")),
    Verb("status", Role.VIEW, "the countdown, who is here, addresses, memory"),
    Verb("log", Role.VIEW, "what people and the timer did on this machine; with an ENTRY: why it failed", entry=True),
    Verb(
        "boot", Role.BOOT, "boot an entry; --append and --cmdline need the role edit",
        entry=True, options=("append", "cmdline", "dry-run", "json"),
    ),
    Verb(
        "next", Role.BOOT, "what boots by itself from now on, or with --once the next time only; --clear: as before",
        entry=True, options=("once", "clear", "json"),
    ),
    Verb("rollback", Role.BOOT, "the newest other entry that is known to be good boots by itself from now on"),
    Verb(
        "set-default", Role.EDIT, "make an entry the default, in the configuration file",
        entry=True, options=("force", "dry-run", "json"),
    ),
    Verb("hold", Role.BOOT, "stop the countdown until `resume`"),
    Verb("resume", Role.BOOT, "let the countdown go on"),
    Verb("rescan", Role.BOOT, "look for disks and entries again"),
    Verb("reboot", Role.BOOT, "restart the machine", options=("dry-run", "json")),
    Verb("poweroff", Role.ADMIN, "switch the machine off", options=("dry-run", "json")),
    Verb("shell", Role.ADMIN, "a rescue shell", options=()),
    Verb(
        "chroot", Role.ADMIN, "enter the root file system of an entry, writable; a COMMAND may follow after --",
        entry=True, options=("device", "subvol", "activate", "dry-run", "json"),
    ),
    Verb("help", Role.VIEW, "this table"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A verb that may be done. `entry` None: the default one."""

    verb: str
    entry: str | None = None
    append: tuple[str, ...] = ()
    cmdline: str | None = None
    json: bool = False
    dry_run: bool = False
    device: str | None = None
    subvol: str | None = None
    activate: bool = False
    command: tuple[str, ...] = ()
    once: bool = False
    clear: bool = False
    force: bool = False


class RequestError(ChainbootError):
    """The request cannot be had; `code` is the exit code: wrong usage or not allowed."""

    def __init__(self, message: str, code: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


def parse(
    text: str, role: Role, verbs: tuple[Verb, ...] = VERBS, elsewhere: Mapping[str, str] | None = None
) -> Request:
    """The request of somebody with this role; raises `RequestError` with one sentence.

    `verbs` are those that are served here. `elsewhere` are verbs that another place serves, each with the reason why
    this one does not, to be read after "NAME is not served here: ".
    """
    words = _split(text)
    if not words:
        return Request("menu")
    name = words[0]
    refused = _OTHERS.get(name.rpartition("/")[2])
    if refused is not None:
        raise RequestError(f"{refused} is not served here: this is a boot menu", 2, _HINT)
    reason = (elsewhere or {}).get(name)
    if reason is not None:
        raise RequestError(f"{name} is not served here: {reason}", 2, _HINT)
    verb = next((verb for verb in verbs if verb.name == name), None)
    if name in ("--help", "-h", "?"):
        return Request("help")
    if verb is None:
        raise RequestError(f"{_shown(name)} is no verb", 2, _HINT)
    if not role.allows(verb.role):
        raise _not_allowed(verb.name, verb.role, role)
    request = _arguments(verb, words[1:])
    if (request.append or request.cmdline is not None) and request.verb == "boot" and not role.allows(Role.EDIT):
        raise _not_allowed("a command line of one's own", Role.EDIT, role)
    if request.verb == "log" and request.entry is not None and not role.allows(Role.BOOT):
        # Of the failed system's journal, which only its administrators may read.
        raise _not_allowed("why an entry failed", Role.BOOT, role)
    return request


_HINT = "`help` lists the verbs that your key may use"

_OTHERS = {
    "sftp-server": "sftp",
    "internal-sftp": "sftp",
    "sftp": "sftp",
    "scp": "scp",
    "rsync": "rsync",
    "git-upload-pack": "git",
    "git-receive-pack": "git",
    "mosh-server": "mosh",
}


def _split(text: str) -> list[str]:
    if len(text) > _LONGEST:
        raise RequestError(f"more than {_LONGEST} characters are no request", 2, _HINT)
    import shlex  # late: the menu does without

    try:
        return shlex.split(text)
    except ValueError:
        raise RequestError("a quotation mark is not closed", 2, _HINT) from None


def _arguments(verb: Verb, words: list[str]) -> Request:
    entry: str | None = None
    append: list[str] = []
    values: dict[str, str] = {}
    flags: set[str] = set()
    command: tuple[str, ...] = ()
    rest = iter(words)
    for word in rest:
        if word == "--" and verb.name == "chroot":
            command = tuple(rest)
        elif word.startswith("--"):
            option, equals, value = word[2:].partition("=")
            option = option.lower()  # an operator's console may send capitals only
            if option not in verb.options:
                raise RequestError(f"{verb.name} has no option {_shown(word)}", 2, f"usage: {verb.usage}")
            if option not in _WITH_VALUE:
                if equals:
                    raise RequestError(f"--{option} takes no value", 2, f"usage: {verb.usage}")
                flags.add(option)
                continue
            given = value if equals else next(rest, None)
            if given is None:
                raise RequestError(f"--{option} wants a text after it", 2, f"usage: {verb.usage}")
            if printable(given) != given:
                raise RequestError(f"--{option} may not hold control characters", 2)
            if option == "append":
                append.append(given)
            else:
                values[option] = given
        elif verb.entry and entry is None:
            entry = word
        else:
            raise RequestError(f"{_shown(word)} is one word too many", 2, f"usage: {verb.usage}")
    if verb.name == "chroot" and "json" in flags and "dry-run" not in flags:
        # What runs inside has stdout for itself.
        raise RequestError("--json is for chroot --dry-run", 2, f"usage: {verb.usage}")
    if verb.name in ("next", "set-default") and (entry is None) is not ("clear" in flags):
        raise RequestError("an ENTRY is wanted, as `list` shows it", 2, f"usage: {verb.usage}")
    return Request(
        verb.name,
        entry,
        tuple(append),
        values.get("cmdline"),
        json="json" in flags,
        dry_run="dry-run" in flags,
        device=values.get("device"),
        subvol=values.get("subvol"),
        activate="activate" in flags,
        command=command,
        once="once" in flags,
        clear="clear" in flags,
        force="force" in flags,
    )


def _not_allowed(what: str, needed: Role, role: Role) -> RequestError:
    return RequestError(f"{what} needs a key with the role {needed.value}; this one has {role.value}", EXIT_NOT_ALLOWED)


def _shown(word: str) -> str:
    return clip(printable(word), _SHOWN_CELLS) or "an empty word"


def allowed(role: Role, verbs: tuple[Verb, ...] = VERBS) -> tuple[Verb, ...]:
    """The verbs that this role may use."""
    return tuple(verb for verb in verbs if role.allows(verb.role))


def usage(role: Role, verbs: tuple[Verb, ...] = VERBS) -> str:
    """The verbs that this role may use: what can be typed, and below it what it does."""
    return "".join(f"{verb.usage}\n    {verb.help}\n" for verb in allowed(role, verbs))
