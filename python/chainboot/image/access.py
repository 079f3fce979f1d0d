"""Who may reach the first stage, and how: the files that its administrator adds to an image.

authorized keys, the host key and settings; each is read as the first stage would read it, so that what it would refuse
stops the build. Knows their places in the image; the rules for keys are chainboot.remote's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chainboot.errors import ChainbootError
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


def access_files(keys: Sequence[Path], host_key: Path | None, settings: Sequence[str]) -> tuple[AddedFile, ...]:
    """The files for `keys` (authorized_keys files), a `host_key` (OpenSSH's or dropbear's private key) and `settings`.

    Each of `settings` is `NAME=VALUE`, as a line of /etc/chainboot.conf. A key without a role of its own gets that of
    the setting `ssh_role`. Raises a `ChainbootError` for what the first stage would refuse, with file and line.
    """
    added: list[AddedFile] = []
    chosen = _settings(settings)
    if settings:
        text = "".join(f"{line.strip()}\n" for line in settings)
        added.append(AddedFile(FILE, 0o644, text.encode(), "--set"))
    if keys:
        found = _keys(keys, parse_role(chosen.ssh_role))
        added.append(AddedFile(KEYS_FILE, 0o600, render(found).encode(), "--authorized-keys"))
    if host_key is not None:
        try:
            data = to_dropbear(_read(host_key))
        except ChainbootError as error:
            raise ChainbootError(f"{host_key}: {error.message}", hint=error.hint) from error
        added.append(AddedFile(HOST_KEY_FILE, 0o600, data, "--host-key"))
    return tuple(added)


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


def _settings(lines: Sequence[str]) -> Settings:
    for line in lines:
        if "\n" in line or "=" not in line or line.strip().startswith("#"):
            raise ChainbootError(f"--set {line!r} is not NAME=VALUE")
    settings, complaints = read_settings("\n".join(lines), ())
    if complaints:
        raise ChainbootError("; ".join(complaint.removeprefix(f"{FILE}: ") for complaint in complaints))
    return settings


def _keys(files: Sequence[Path], default: Role | None) -> tuple[AuthorizedKey, ...]:
    found: tuple[AuthorizedKey, ...] = ()
    for file in files:
        text = _read(file).decode("utf-8", "surrogateescape")
        keys, problems = parse(text, default=default, source=str(file))
        if problems:
            raise ChainbootError("\n".join(problems), hint="the first stage would not take it as it is written")
        if not keys:
            raise ChainbootError(f"{file} holds no key")
        found = merge(found, keys)
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise ChainbootError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise ChainbootError(f"{path} is larger than a MiB, and so no file of keys")
    return data
