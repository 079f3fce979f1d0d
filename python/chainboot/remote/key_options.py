"""The options in front of a key in authorized_keys, and what they leave of it. Pure.

Source: sshd(8), AUTHORIZED_KEYS FILE FORMAT; OpenSSH's auth-options.c for the order of restrict and pty. A key is
never honoured more widely than it was written: what the server of the first stage cannot keep refuses the key.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.remote.role import Role, parse_role

# The program behind every key that dropbear is given, see `authorized_keys.render`.
SESSION = "/usr/sbin/ssh-session"

# What a person writes as a forced command: by its name or its place in the image. Any other path is another program.
_PROGRAMS = ("chainboot", "/usr/bin/chainboot")

# What is taken away from every key anyway, and what would give it back: `restrict` and `no-pty` are not among them.
_DROPPED = frozenset(
    {
        *("no-port-forwarding", "no-agent-forwarding", "no-x11-forwarding", "no-user-rc"),
        *("port-forwarding", "agent-forwarding", "x11-forwarding", "user-rc"),
    }
)

# What narrows a key, and is lost here. dropbear 2022.83 knows permitopen, for a forwarding that no key has here, and
# verify-required, which `AuthorizedKey` has no room for; it knows none of the others (svr-authpubkeyoptions.c).
_NOT_KEPT = frozenset(
    {
        *("from", "expiry-time", "verify-required", "cert-authority", "principals"),
        *("permitopen", "permitlisten", "tunnel", "environment"),
    }
)


class OptionError(Exception):
    """Why a key is refused: the end of a sentence that begins with "the key was refused: "."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the options leave: `role` None where no forced command was given. `notes` are sentences about them."""

    role: Role | None = None
    pty: bool = True
    notes: tuple[str, ...] = ()


def extent(line: str) -> int:
    """How many characters at the start of `line` are options: to the first blank outside of quotes, else all."""
    quoted = False
    at = 0
    while at < len(line) and (quoted or line[at] not in " \t"):
        if line.startswith('\\"', at):
            at += 1
        elif line[at] == '"':
            quoted = not quoted
        at += 1
    return at


def read_options(text: str) -> Options:
    """What the comma-separated options of one key mean; raises `OptionError`."""
    role: Role | None = None
    pty = True
    notes: list[str] = []
    for name, value in _split(text):
        match name.lower(), value:
            case "command", str(command):
                if role is not None:
                    raise OptionError("it has two forced commands, leave one")
                role = _commanded(command)
            case "restrict" | "no-pty", None:
                pty = False
            case "pty", None:
                pty = True
            case "no-touch-required", None:
                notes.append("no-touch-required is not honoured, the key must be touched at every login")
            case option, None if option in _DROPPED:
                pass
            case option, _ if option in _NOT_KEPT:
                raise OptionError(f"'{name}' restricts it in a way that cannot be kept here, use a key without it")
            case _:
                raise OptionError(f"'{name[:40]}' is no option that is known here, remove it")
    return Options(role, pty, tuple(notes))


def _split(text: str) -> list[tuple[str, str | None]]:
    """Names and values of the options; a value is what stands in the quotes, with only `\\"` unquoted."""
    found: list[tuple[str, str | None]] = []
    at = 0
    while True:
        end = at
        while end < len(text) and text[end] not in "=,":
            end += 1
        name, at = text[at:end], end
        value: str | None = None
        if text.startswith("=", at):
            if not text.startswith('="', at):
                raise OptionError(f"the value of '{name[:40]}' is not in quotes")
            value, at = _quoted(text, at + 2)
        found.append((name, value))
        if at == len(text):
            return found
        if text[at] != ",":
            raise OptionError("there is no comma after a closing quote")
        at += 1


def _quoted(text: str, at: int) -> tuple[str, int]:
    value: list[str] = []
    while at < len(text) and text[at] != '"':
        if text.startswith('\\"', at):
            at += 1
        value.append(text[at])
        at += 1
    if at >= len(text):
        raise OptionError('a quote is not closed, every value ends in "')
    return "".join(value), at + 1


def _commanded(command: str) -> Role:
    """The role that a forced command gives, `chainboot login --role ROLE` or the one of `authorized_keys.render`.

    Raises `OptionError` for any other: a key that was made for another program must stay with it.
    """
    words = command.split()
    if len(words) == 3 and words[0] == SESSION and _is_number(words[2]) and (role := parse_role(words[1])):
        return role
    if not words or words[0] not in _PROGRAMS:
        raise OptionError('it is for another program, a key for this menu says command="chainboot login --role ROLE"')
    if words[1:2] != ["login"]:
        raise OptionError('its command is not login, a key for this menu says command="chainboot login --role ROLE"')
    words = words[2:]
    given: dict[str, str] = {}
    while words:
        name, equals, value = words[0].partition("=")
        if not equals:
            value = words[1] if len(words) > 1 else ""
        if name not in ("--role", "--key") or name in given:
            raise OptionError(f"its command has '{words[0][:40]}' in it, only --role ROLE and --key N can stand there")
        given[name] = value
        words = words[1 if equals else 2 :]
    known = parse_role(given.get("--role", ""))
    if known is None or not _is_number(given.get("--key", "1")):
        names = ", ".join(role.value for role in Role)
        raise OptionError(f"its command names no role, write --role and one of {names}")
    return known


def forced_role(words: str) -> Role | None:
    """The role of words that are a forced command of ours, None where they are something else.

    Raises `OptionError` where they are one and make no sense.
    """
    if words.split()[:2] not in ([name, "login"] for name in _PROGRAMS):
        return None
    return _commanded(words)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
