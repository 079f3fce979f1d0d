"""authorized_keys: who may log in, as which role; read as sshd(8) says and written as dropbear takes it. Pure.

Facts about dropbear 2022.83 (svr-authpubkey.c, svr-authpubkeyoptions.c): an option that it does not know refuses the
key; a line ends at CR as well as at LF; and of a line longer than 4200 bytes it takes the rest for a line of its own.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from chainboot.remote.key_options import SESSION, OptionError, Options, extent, read_options
from chainboot.remote.role import Role
from chainboot.text import counted, printable

TEXT_LIMIT = 1 << 20
KEY_LIMIT = 1000
LINE_LIMIT = 16 << 10

# What dropbear 2022.83 as Debian builds it takes, and how many fields each blob has (RFC 4253, 5656 and 8709;
# OpenSSH's PROTOCOL.u2f).
KINDS = {
    "ssh-ed25519": 2,
    "ecdsa-sha2-nistp256": 3,
    "ecdsa-sha2-nistp384": 3,
    "ecdsa-sha2-nistp521": 3,
    "ssh-rsa": 3,
    "sk-ssh-ed25519@openssh.com": 3,
    "sk-ecdsa-sha2-nistp256@openssh.com": 4,
}
_RSA_BITS = 1024  # MIN_RSA_KEYLEN of dropbear's sysoptions.h

# Together they keep a rendered line below 4200 bytes: 120 for what stands around them, 4 for each character.
_BLOB_LIMIT = 3600
_COMMENT_LIMIT = 100

_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class AuthorizedKey:
    """One key. `blob` is base64; `comment` is harmless to a terminal; `pty`: whether it may have a terminal at all."""

    role: Role
    kind: str
    blob: str
    comment: str
    pty: bool = True


def parse(text: str, *, default: Role | None, source: str) -> tuple[tuple[AuthorizedKey, ...], tuple[str, ...]]:
    """The keys of a file, and a sentence `source:line: what, what to do` for each that was refused or narrowed.

    `default` is the role of a key without forced command; None refuses such keys. `text` may hold surrogate escapes.
    """
    problems: list[str] = []
    if len(text) > TEXT_LIMIT:
        text = text[:TEXT_LIMIT].rpartition("\n")[0]
        problems.append(f"{source}: only the first MiB was read, make it shorter")
    keys: list[AuthorizedKey] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        where = f"{source}:{number}"
        if len(keys) == KEY_LIMIT:
            problems.append(f"{where}: the keys from here on were refused: {KEY_LIMIT} is the most there can be")
            break
        try:
            key, notes = _read_line(line, default)
            if key.blob in seen:
                raise OptionError(f"it stands in line {seen[key.blob]} already, remove one of them")
        except OptionError as error:
            problems.append(f"{where}: the key was refused: {error}")
            continue
        seen[key.blob] = number
        problems += [f"{where}: {note}" for note in notes]
        keys.append(key)
    return tuple(keys), _few(problems, source)


def merge(first: Iterable[AuthorizedKey], second: Iterable[AuthorizedKey]) -> tuple[AuthorizedKey, ...]:
    """The keys of both, each once: where both have a key, the first decides what it may do."""
    found: dict[str, AuthorizedKey] = {}
    for key in (*first, *second):
        found.setdefault(key.blob, key)
    return tuple(found.values())


def render(keys: Iterable[AuthorizedKey]) -> str:
    """The file for dropbear: one line for each key, its number in its forced command, every forwarding off."""
    return "".join(_line(key, number) for number, key in enumerate(keys, 1))


def keyed(text: str, number: int) -> AuthorizedKey | None:
    """The key in line `number`, from 1, of a rendered file; None where there is none."""
    lines = text.split("\n")
    if not 1 <= number <= len(lines):
        return None
    keys, _ = parse(lines[number - 1], default=None, source="")
    return keys[0] if keys else None


def _line(key: AuthorizedKey, number: int) -> str:
    options = f'command="{SESSION} {key.role.value} {number}",no-port-forwarding,no-agent-forwarding,no-X11-forwarding'
    words = (f"{options}{'' if key.pty else ',no-pty'}", key.kind, key.blob, _clean(key.comment))
    return f"{' '.join(filter(None, words))}\n"


def _clean(comment: str) -> str:
    """No character that ends a line, drives a terminal or cannot be written as UTF-8, and one blank between words."""
    return " ".join(printable(comment[: 4 * _COMMENT_LIMIT]).split())[:_COMMENT_LIMIT].rstrip()


def _read_line(line: str, default: Role | None) -> tuple[AuthorizedKey, tuple[str, ...]]:
    if len(line) > LINE_LIMIT:
        raise OptionError(f"the line has more than {LINE_LIMIT} characters")
    options = Options()
    if not _is_kind(_word(line)[0]):
        end = extent(line)
        options = read_options(line[:end])
        line = line[end:]
    kind, rest = _word(line)
    encoded, comment = _word(rest)
    if not encoded:
        raise OptionError("kind or key is missing, the line was cut off")
    blob = _blob(kind, encoded)
    role = options.role or default
    if role is None:
        raise OptionError('it names no role, put command="chainboot login --role ROLE" before it')
    return AuthorizedKey(role, kind, blob, _clean(comment), options.pty), options.notes


def _word(text: str) -> tuple[str, str]:
    """The first word and what follows it. Words end at a blank or a tab, and at nothing else that Unicode has."""
    text = text.lstrip(" \t")
    end = min((at for at in (text.find(" "), text.find("\t")) if at >= 0), default=len(text))
    return text[:end], text[end:]


def _is_kind(word: str) -> bool:
    return word.startswith(("ssh-", "ecdsa-", "sk-")) and not any(char in word for char in ',="')


def _blob(kind: str, text: str) -> str:
    """The key in canonical base64, checked to be whole and of that kind."""
    if kind not in KINDS:
        raise OptionError(f"keys of the kind '{kind[:40]}' are not taken, make one with ssh-keygen -t ed25519")
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError as error:  # UnicodeEncodeError and binascii.Error are both of this kind
        raise OptionError("what follows its kind is not base64, copy the .pub file again") from error
    fields = _fields(data)
    if fields is None or not fields or len(fields) != KINDS[kind]:
        raise OptionError("it is cut off or damaged, copy the .pub file again")
    if fields[0] != kind.encode():
        raise OptionError(f"it says {kind}, and the key itself does not, copy the .pub file again")
    if kind == "ssh-rsa" and int.from_bytes(fields[2], "big").bit_length() < _RSA_BITS:
        raise OptionError(f"RSA keys have at least {_RSA_BITS} bits, make one with ssh-keygen -t ed25519")
    blob = binascii.b2a_base64(data, newline=False).decode("ascii")
    if len(blob) > _BLOB_LIMIT:
        raise OptionError("it is longer than the server takes, make one with ssh-keygen -t ed25519")
    return blob


def _fields(data: bytes) -> tuple[bytes, ...] | None:
    """The length-prefixed strings (RFC 4251) that make up `data`; None where it ends within one."""
    fields: list[bytes] = []
    while data:
        length = int.from_bytes(data[:4], "big")
        if len(data) < 4 + length:
            return None
        fields.append(data[4 : 4 + length])
        data = data[4 + length :]
    return tuple(fields)


def _few(problems: list[str], source: str) -> tuple[str, ...]:
    """The problems as a person can read them: harmless, and not thousands."""
    shown = [printable(problem) for problem in problems[:_PROBLEMS]]
    if len(problems) > len(shown):
        shown.append(printable(f"{source}: and {counted(len(problems) - len(shown), 'line')} more like these"))
    return tuple(shown)
