"""Which configurations a command means: a directory, a file, the first stage's disks, or this system's /boot."""

from __future__ import annotations

import os

from chainboot.boot.discovery import MOUNTS
from chainboot.boot.volume import CONFIG_PATHS, Configuration, Volume, find_configurations, read_configuration
from chainboot.errors import NotFoundError


def configurations(
    *, path: str | None = None, root: str | None = None, config: str | None = None, mounts: str = MOUNTS
) -> tuple[Configuration, ...]:
    """The configurations, at least one; raises `NotFoundError`.

    `path` is short for `root` (a directory) or `config` (a file). Without any of them: the volumes that the first
    stage has mounted below `mounts`, else the running system.
    """
    if path is not None:
        if os.path.isdir(path):
            root = path
        else:
            config = path
    if config is not None:
        return (_one_file(config, root),)
    if root is not None:
        return _of_directory(root)
    found = tuple(_mounted(mounts))
    return found or _of_directory("/")


def _of_directory(root: str) -> tuple[Configuration, ...]:
    if not os.path.isdir(root):
        raise NotFoundError(f"{root} is not a directory", hint="give --root the directory where the disk is mounted")
    volume = Volume(os.path.abspath(root).rstrip("/"), root)
    paths = find_configurations(volume)
    if not paths:
        raise NotFoundError(
            f"no extlinux configuration was found in {root}",
            hint=f"looked for {', '.join(path[1:] for path in CONFIG_PATHS)}",
        )
    return tuple(read_configuration(volume, path) for path in paths)


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
    return read_configuration(Volume(base, root or base or "/"), place)


def _mounted(mounts: str) -> list[Configuration]:
    try:
        names = sorted(os.listdir(mounts))
    except OSError:
        return []
    volumes = [Volume(f"{mounts}/{name}", f"/dev/{name}", device=f"/dev/{name}", mounted=True) for name in names]
    return [read_configuration(volume, path) for volume in volumes for path in find_configurations(volume)]
