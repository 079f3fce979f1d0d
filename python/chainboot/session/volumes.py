"""A look at the disks while others may write to them: the host key at the first boot, a person in a `chroot`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from chainboot.boot.discovery import MOUNTS, Discovery, discover
from chainboot.boot.volume import PathError, Volume
from chainboot.boot.writable import OWN, NotReadOnlyError, reading, writable
from chainboot.errors import ChainbootError
from chainboot.process import Runner
from chainboot.settings import RUNTIME

# What tests and log readers wait for.
REPLAYED = "no entry was found before the journal was replayed of"

# Writing takes a moment, and replaying a journal some seconds more.
_PATIENCE_S = 30.0

# Where loaders and chainboot itself keep what is theirs. An extlinux.conf without a directory of its own counts too.
_PLACES = tuple(
    f"{boot}/{name}"
    for name in ("extlinux", "syslinux", "isolinux", OWN, "extlinux.conf", "syslinux.cfg")
    for boot in ("", "/boot")
)


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

    Where that is no entry at all, the journals of the volumes that look like one to boot from are replayed, once, and
    it looks again: after a power cut the newest configuration may stand nowhere else (`make cuts` has found it so).
    """
    with steady(runtime):
        found = discover(run, sys_block=sys_block, mounts=mounts)
    if any(configuration.menu.entries for configuration in found.configurations):
        return found
    replayed = [volume.name for volume in found.volumes if _boots(volume) and _replay(volume, run, runtime, sys_block)]
    if not replayed:
        return found
    with steady(runtime):
        found = discover(run, sys_block=sys_block, mounts=mounts)
    return replace(found, problems=(*found.problems, f"{REPLAYED} {', '.join(replayed)}"))


def _boots(volume: Volume) -> bool:
    """Whether somebody boots from this volume: it has a loader's directory, one of ours, or a file that names entries.

    Any other one may be in use elsewhere, such as a disk that two machines see, and is not written to.
    """
    for place in _PLACES:
        try:
            volume.follow(place)
        except PathError as error:
            if not error.missing:  # something stands there that cannot be read
                return True
        except OSError:
            return True
        else:
            return True
    return False


def _replay(volume: Volume, run: Runner, runtime: str, sys_block: str) -> bool:
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
        with writable(volume, run, runtime=runtime, sys_block=sys_block):
            return True
    except NotReadOnlyError:
        return True
    except (ChainbootError, OSError):  # a disk that only looks, such as an image of an installer; or a dying one
        return False
