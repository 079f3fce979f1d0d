"""What must stand before SSH is served: who may log in, and the key of this machine.

The effects behind `chainboot prepare-ssh`. Keys come from the image and, where it is allowed, from the boot volume;
the host key from the image, else from the boot volume, else it is made once and kept there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from chainboot.boot.discovery import Discovery, probe
from chainboot.boot.volume import Configuration, PathError, Volume
from chainboot.boot.writable import own_directory, reading, writable
from chainboot.errors import ChainbootError
from chainboot.process import Runner
from chainboot.remote import authorized_keys, host_key
from chainboot.remote.authorized_keys import AuthorizedKey
from chainboot.remote.placing import own, place
from chainboot.remote.role import Role, parse_role
from chainboot.settings import RUNTIME, Settings
from chainboot.text import printable

ETC = "/etc/chainboot"
HOME = "/root"

_KEYS = "authorized_keys"
_HOST_KEY = "host_key"

# Seconds for dropbearkey: an ed25519 key needs none, and a machine without entropy a few.
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was prepared: how many keys may log in, the host key's fingerprint, sentences about what is amiss.

    `serve` is False where nobody could log in; then no host key was looked for and `fingerprint` is empty.
    """

    keys: int
    fingerprint: str
    problems: tuple[str, ...]
    serve: bool


def prepare(
    run: Runner,
    *,
    settings: Settings,
    discovery: Discovery,
    etc: str = ETC,
    runtime: str = RUNTIME,
    home: str = HOME,
) -> Outcome:
    """Write `home`/.ssh/authorized_keys and `runtime`/ssh/{authorized_keys,host_key,problems}; what was prepared.

    Every file is replaced at once, so that it may run again while dropbear serves. Raises `ChainbootError` or
    `OSError` where SSH cannot be served: outside of the first stage, no room in /run, no host key at all. Not to be
    called with `reading` held: it takes that lock itself, and writes.
    """
    if not os.path.exists(f"{runtime}/first-stage"):  # else it would replace root's keys of a running system
        raise ChainbootError(
            "SSH is prepared in the first stage only", hint=f"where /init has made {runtime}/first-stage"
        )
    place_of = discovery.configurations[0] if discovery.configurations else None
    notes = own(f"{runtime}/ssh")
    try:
        keys, problems = _keys(settings, place_of, etc, runtime)
        rendered = authorized_keys.render(keys).encode("utf-8", "replace")
        place(notes, _KEYS, rendered)
        os.close(own(home))
        logins = own(f"{home}/.ssh")
        try:
            os.fchmod(logins, 0o700)  # dropbear refuses keys in a directory that others may write
            place(logins, _KEYS, rendered)
        finally:
            os.close(logins)
        fingerprint = ""
        if keys:
            key, more = _host_key(run, place_of, discovery.devices, etc, runtime)
            place(notes, _HOST_KEY, key)
            fingerprint = host_key.fingerprint(key)
            problems += more
        else:
            problems.append("no key may log in: give the image authorized keys")
        lines = tuple(dict.fromkeys(printable(problem) for problem in problems))
        place(notes, "problems", "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
        return Outcome(len(keys), fingerprint, lines, bool(keys))
    finally:
        os.close(notes)


def _keys(
    settings: Settings, place_of: Configuration | None, etc: str, runtime: str
) -> tuple[tuple[AuthorizedKey, ...], list[str]]:
    """Who may log in. The image comes first: a key that it knows does not get another role from a disk."""
    default: Role | None = parse_role(settings.ssh_role)
    image, problems = _parsed(_image_file(etc, _KEYS), default, "the image's authorized_keys")
    if not settings.ssh_volume_keys or place_of is None:
        return image, problems
    path = f"{own_directory(place_of)}/{_KEYS}"
    try:
        with reading(runtime):
            data = _own_file(place_of.volume, path, authorized_keys.TEXT_LIMIT + 1)
    except (ChainbootError, OSError) as error:
        return image, [*problems, f"no key of {place_of.volume.name} may log in: {_why(error)}"]
    volume, more = _parsed(data, default, path)
    return authorized_keys.merge(image, volume), [*problems, *more]


def _parsed(data: bytes | None, default: Role | None, source: str) -> tuple[tuple[AuthorizedKey, ...], list[str]]:
    keys, problems = authorized_keys.parse(
        (data or b"").decode("utf-8", "surrogateescape"), default=default, source=source
    )
    return keys, list(problems)


def _host_key(
    run: Runner, place_of: Configuration | None, devices: Sequence[str], etc: str, runtime: str
) -> tuple[bytes, list[str]]:
    """The machine's key in dropbear's form, and what is amiss with it. One that is not usable is never overwritten."""
    problems: list[str] = []
    try:
        if given := _image_file(etc, _HOST_KEY):
            return host_key.to_dropbear(given), []
    except ChainbootError as error:
        problems.append(f"the image's host key is not used: {error.message}")
    if place_of is None:
        why = "no disk with a configuration was found to keep it on"
        return _of_this_boot(run, runtime), [*problems, f"the host key is that of this boot only: {why}"]
    try:
        with reading(runtime):  # while another writes, the disk is not mounted, and its key seems not to be there
            kept = _kept(place_of)
    except (ChainbootError, OSError) as error:
        why = f"the one of {place_of.volume.name} is not used: {_why(error)}"
        return _of_this_boot(run, runtime), [*problems, f"the host key is that of this boot only: {why}"]
    if kept is not None:
        return kept, problems
    key = _of_this_boot(run, runtime)
    try:
        _refuse_hibernated(devices, run)
        key, more = _keep(key, place_of, run, runtime)
        return key, [*problems, *more]
    except (ChainbootError, OSError) as error:
        why = f"it could not be kept on {place_of.volume.name}: {_why(error)}"
        return key, [*problems, f"the host key is that of this boot only: {why}"]


def _kept(place_of: Configuration) -> bytes | None:
    """The key that the boot volume has; None where it has none. Raises `ChainbootError` for one of no use."""
    kept = _own_file(place_of.volume, f"{own_directory(place_of)}/{_HOST_KEY}", host_key.SIZE_LIMIT + 1)
    return None if kept is None else host_key.to_dropbear(kept)


def _of_this_boot(run: Runner, runtime: str) -> bytes:
    """The key that an earlier run made since the machine was started, else a new one."""
    try:
        with open(f"{runtime}/ssh/{_HOST_KEY}", "rb") as file:
            return host_key.to_dropbear(file.read(host_key.SIZE_LIMIT + 1))
    except (OSError, ChainbootError):
        pass
    path = f"{runtime}/ssh/{_HOST_KEY}.new"
    with suppress(FileNotFoundError):  # dropbearkey does not overwrite what a killed run has left
        os.unlink(path)
    run(["dropbearkey", "-t", "ed25519", "-f", path], check=True, timeout=_PATIENCE)
    try:
        with open(path, "rb") as file:
            return host_key.to_dropbear(file.read(host_key.SIZE_LIMIT + 1))
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)


def _refuse_hibernated(devices: Sequence[str], run: Runner) -> None:
    """Raise where a system sleeps on disk: it remembers its file systems, and a write behind its back destroys them."""
    for device in devices:
        # What the kernel leaves in the place of a swap signature (kernel/power/swap.c, S1SUSPEND), by blkid's name.
        if probe(device, run).get("TYPE") == "swsuspend":
            raise ChainbootError(f"a hibernated system sleeps on /dev/{device}; nothing is written behind its back")


def _keep(key: bytes, place_of: Configuration, run: Runner, runtime: str) -> tuple[bytes, list[str]]:
    """Write the key to the boot volume; the key that is there now, and what is to be said about it.

    Raises `ChainbootError` or `OSError`.
    """
    volume = place_of.volume
    parent, _, name = own_directory(place_of).rpartition("/")
    with writable(volume, run, runtime=runtime) as root:
        # Only now the journal of a crashed system is replayed, and with it a key may have come to light.
        if (kept := _kept(place_of)) is not None:
            return kept, []
        # The parent is followed inside the volume; of what it holds no symbolic link is followed.
        directory = own(f"{root}{volume.follow(parent or '/').rstrip('/')}/{name}")
        try:
            status = place(directory, _HOST_KEY, key)
        finally:
            os.close(directory)
    if status.st_mode & 0o077:
        return key, [f"{volume.name} keeps no file modes: mount it with umask=077, or every user can read the host key"]
    return key, []


def _image_file(etc: str, name: str) -> bytes | None:
    """A file of the image, None where it has none."""
    try:
        with open(f"{etc}/{name}", "rb") as file:
            return file.read(authorized_keys.TEXT_LIMIT + 1)
    except FileNotFoundError:
        return None


def _own_file(volume: Volume, path: str, limit: int) -> bytes | None:
    """At most `limit` bytes of a file of ours on a volume, None where there is none. Raises `ChainbootError`.

    As sshd's StrictModes wants it, nobody but root may be able to write the file or a directory above it: else a user
    of the booted system could let himself in here.
    """
    try:
        real = volume.follow(path)
        data = volume.read(real, limit)
    except PathError as error:
        if error.missing:
            return None
        raise
    here = real
    while True:
        status = os.lstat(volume.root + here)
        # A sticky directory (the Nix store) takes new files from others, and leaves those that are there alone.
        others = status.st_mode & 0o022 and not (stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX)
        if others or status.st_uid not in (0, os.geteuid()):
            raise ChainbootError(f"others than root may write {here or '/'}", hint="chown root, chmod go-w")
        if not here:
            return data
        here = here.rpartition("/")[0]


def _why(error: ChainbootError | OSError) -> str:
    return error.message if isinstance(error, ChainbootError) else str(error.strerror or error)
