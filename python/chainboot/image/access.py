"""Who may reach the first stage, and how: the files that its administrator adds to an image.

authorized keys, the host key and settings, at the build or later. Each is read as the first stage would read it, so
that what it would refuse stops the build. Knows their places in the image; the rules for keys are chainboot.remote's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chainboot.errors import ChainbootError
from chainboot.image.settings_file import sound_settings
from chainboot.image.small_file import read_small
from chainboot.image.tree import ImageTree
from chainboot.remote.authorized_keys import AuthorizedKey, merge, parse, render
from chainboot.remote.host_key import to_dropbear
from chainboot.remote.role import Role, parse_role
from chainboot.settings import FILE, Settings, read_settings

KEYS_FILE = "/etc/chainboot/authorized_keys"
HOST_KEY_FILE = "/etc/chainboot/host_key"

_SERVER = "/usr/sbin/dropbear"
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class AddedFile:
    """A file beyond the image spec: where it goes, its permission bits, and the option that asked for it."""

    target: str
    mode: int
    data: bytes
    because: str


def access_files(
    keys: Sequence[Path], host_key: Path | None, settings: Sequence[str], settings_file: Path | None = None
) -> tuple[AddedFile, ...]:
    """The files for `keys` (authorized_keys files), a `host_key` (OpenSSH's or dropbear's private key) and settings.

    Each of `settings` is `NAME=VALUE`, as a line of /etc/chainboot.conf; they come after those of `settings_file`. A
    key without a role of its own gets that of the setting `ssh_role`. Raises a `ChainbootError` for what the first
    stage would refuse, with file and line.
    """
    added: list[AddedFile] = []
    text, chosen = _settings(settings, settings_file)
    if text is not None:
        added.append(AddedFile(FILE, 0o644, text, "--set" if settings_file is None else "--settings"))
    if keys:
        found = _keys(keys, parse_role(chosen.ssh_role))
        added.append(AddedFile(KEYS_FILE, 0o600, render(found).encode(), "--authorized-keys"))
    if host_key is not None:
        added.append(_host_key(host_key))
    return tuple(added)


def later_files(keys: Sequence[Path], host_key: Path | None, settings_file: Path | None) -> tuple[AddedFile, ...]:
    """As `access_files`, for an image that is built already; only its owner may read any of them.

    They replace the image's own. Without a `settings_file` it is not known what the image's settings are, so a key
    without a role of its own stays without: the first stage gives it one when it starts.
    """
    if keys and settings_file is None:
        added = [
            AddedFile(KEYS_FILE, 0o600, _without_default(keys).encode(), "--authorized-keys"),
            *access_files([], host_key, []),
        ]
    else:
        added = [*access_files(keys, host_key, [], settings_file)]
    return tuple(replace(file, mode=0o600) for file in added)


def access_notes(tree: ImageTree) -> list[str]:
    """Sentences on how an image with an SSH server can be reached, for the report."""
    if not tree.holds(_SERVER):
        return []
    if not tree.holds(KEYS_FILE):
        return [
            "no authorized keys (--authorized-keys): SSH is off, unless ssh_volume_keys=1 and the boot volume has some"
        ]
    if not tree.holds(HOST_KEY_FILE):
        return ["no host key (--host-key): one is made at the first boot and kept on the boot volume"]
    return []


def _settings(lines: Sequence[str], file: Path | None) -> tuple[bytes | None, Settings]:
    """The text of the image's file, None where nothing was given, and what it sets."""
    for line in lines:
        if "\n" in line or "=" not in line or line.strip().startswith("#"):
            raise ChainbootError(f"--set {line!r} is not NAME=VALUE")
    # Line by line: what follows on a carriage return at the end of a line would be part of a value to a shell.
    given = [] if file is None else sound_settings(file).rstrip().split("\n")
    text = "".join(f"{line.strip()}\n" for line in (*given, *lines))
    settings, complaints = read_settings(text, ())
    if complaints:
        raise ChainbootError("; ".join(complaint.removeprefix(f"{FILE}: ") for complaint in complaints))
    return None if file is None and not lines else text.encode("utf-8", "surrogateescape"), settings


def _host_key(file: Path) -> AddedFile:
    try:
        data = to_dropbear(_read(file))
    except ChainbootError as error:
        raise ChainbootError(f"{file}: {error.message}", hint=error.hint) from error
    return AddedFile(HOST_KEY_FILE, 0o600, data, "--host-key")


def _keys(files: Sequence[Path], default: Role | None) -> tuple[AuthorizedKey, ...]:
    found: tuple[AuthorizedKey, ...] = ()
    for file in files:
        text = _read(file).decode("utf-8", "surrogateescape")
        keys, problems = parse(text, default=default, source=str(file))
        if problems:
            raise ChainbootError("; ".join(problems), hint="the first stage would not take it as it is written")
        if not keys:
            raise ChainbootError(f"{file} holds no key")
        found = merge(found, keys)
    return found


def _without_default(files: Sequence[Path]) -> str:
    """The keys as lines for the first stage, those without a role left without."""
    # A key whose role depends on the default has none of its own.
    either = zip(_keys(files, Role.VIEW), _keys(files, Role.ADMIN), strict=True)
    return "".join(render([low]) if low.role is high.role else _bare(low) for low, high in either)


def _bare(key: AuthorizedKey) -> str:
    return f"{' '.join(filter(None, ('' if key.pty else 'no-pty', key.kind, key.blob, key.comment)))}\n"


def _read(path: Path) -> bytes:
    return read_small(path, _LARGEST, "keys")
