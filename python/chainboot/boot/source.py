"""Which configurations a command means: a directory, a file, the first stage's disks, or this system's /boot."""

from __future__ import annotations

import os
from collections.abc import Callable

from chainboot.boot.discovery import MOUNTS
from chainboot.boot.volume import CONFIG_PATHS, Configuration, Volume, find_configurations, read_configuration
from chainboot.errors import NotFoundError


def configurations(
    *,
    path: str | None = None,
    root: str | None = None,
    config: str | None = None,
    mounts: str = MOUNTS,
    complain: Callable[[str], None] = lambda _sentence: None,
) -> tuple[Configuration, ...]:
    """The configurations, at least one; raises `NotFoundError`.

    `path` is short for `root` (a directory) or `config` (a file). Without any of them: the volumes that the first
    stage has mounted below `mounts`, else the running system. What cannot be read costs itself: `complain` hears of it.
    """
    if path is not None:
        if os.path.isdir(path):
            root = path
        else:
            config = path
    if config is not None:
        return (_one_file(config, root),)
    if root is None:
        found, problems = _readable(_mounted(mounts))
        if found:
            for problem in problems:
                complain(problem)
            return found
        root = "/"
    if not os.path.isdir(root):
        raise NotFoundError(f"'{root}' is not a directory", hint="give --root the directory where the disk is mounted")
    found, problems = _readable([Volume(os.path.abspath(root).rstrip("/"), root)])
    if not found:
        why = f": {'; '.join(problems)}" if problems else ""
        raise NotFoundError(
            f"no extlinux configuration was found in {root}{why}",
            hint=None if problems else f"looked for {', '.join(path[1:] for path in CONFIG_PATHS)}",
        )
    for problem in problems:
        complain(problem)
    return found


def _readable(volumes: list[Volume]) -> tuple[tuple[Configuration, ...], tuple[str, ...]]:
    """Every configuration of the volumes that can be read, and a sentence for each that cannot."""
    found: list[Configuration] = []
    problems: list[str] = []
    for volume in volumes:
        paths, unusable = find_configurations(volume)
        problems += unusable
        for path in paths:
            try:
                found.append(read_configuration(volume, path))
            except NotFoundError as error:
                problems.append(error.message)
    return tuple(found), tuple(problems)


def _one_file(config: str, root: str | None) -> Configuration:
    absolute = os.path.abspath(config)
    if root is None:
        # The root of the volume is where the file's usual place begins; elsewhere it is the file's directory.
        place = next((path for path in CONFIG_PATHS if absolute.endswith(path)), None)
        place = place or f"/{os.path.basename(absolute)}"
        base = absolute[: -len(place)]
    else:
        base = os.path.abspath(root).rstrip("/")
        if not absolute.startswith(f"{base}/"):
            raise NotFoundError(f"{config} is not inside {root}", hint="--config names a file inside --root")
        place = absolute[len(base) :]
    try:
        return read_configuration(Volume(base, root or base or "/"), place)
    except NotFoundError as error:  # by the name that the person gave it
        raise NotFoundError(error.message.replace(place, config, 1)) from error


def _mounted(mounts: str) -> list[Volume]:
    try:
        names = sorted(os.listdir(mounts))
    except OSError:
        return []
    return [Volume(f"{mounts}/{name}", f"/dev/{name}", device=f"/dev/{name}", mounted=True) for name in names]
