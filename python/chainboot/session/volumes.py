"""A look at the disks while others may write to them: the host key at the first boot, a person in a `chroot`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from chainboot.boot.discovery import MOUNTS, Discovery, discover
from chainboot.boot.volume import Volume
from chainboot.boot.writable import reading, writable
from chainboot.errors import ChainbootError
from chainboot.process import Runner
from chainboot.settings import RUNTIME

# What tests and log readers wait for.
REPLAYED = "no entry was found before the journal was replayed of"

# Writing takes a moment, and replaying a journal some seconds more.
_PATIENCE_S = 30.0


@contextmanager
def steady(runtime: str = RUNTIME) -> Iterator[None]:
    """Keep the volumes as they are for a while, if that can be had.

    Whoever writes may hang, on a dying disk or a dead link: going on without the lock is better than no boot.
    """
    with ExitStack() as held:
        with suppress(ChainbootError, OSError):
            held.enter_context(reading(runtime, patience=_PATIENCE_S))
        yield


def look(
    run: Runner, *, runtime: str = RUNTIME, sys_block: str = "/sys/class/block", mounts: str = MOUNTS
) -> Discovery:
    """What the disks hold, as `discover` finds it, not in the middle of somebody's write if that can be helped.

    Where that is no entry at all, the journals of the file systems are replayed, once, and it looks again: after a
    power cut the newest configuration may stand nowhere else (`make cuts` has found it so).
    """
    with steady(runtime):
        found = discover(run, sys_block=sys_block, mounts=mounts)
    if any(configuration.menu.entries for configuration in found.configurations):
        return found
    replayed = [volume.name for volume in found.volumes if _replay(volume, run, runtime)]
    if not replayed:
        return found
    with steady(runtime):
        found = discover(run, sys_block=sys_block, mounts=mounts)
    return replace(found, problems=(*found.problems, f"{REPLAYED} {', '.join(replayed)}"))


def _replay(volume: Volume, run: Runner, runtime: str) -> bool:
    """Replay a volume's journal, unless this first stage has done so: it is mounted writable and put back."""
    if not volume.mounted or volume.device is None:
        return False
    try:
        os.makedirs(runtime, mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(f"{runtime}/replayed-{volume.device.rpartition('/')[2]}", flags, 0o600))
    except OSError:  # it has been done, or cannot be remembered
        return False
    try:
        with writable(volume, run, runtime=runtime):
            return True
    except ChainbootError:  # a disk that only looks, such as an image of an installer
        return False
