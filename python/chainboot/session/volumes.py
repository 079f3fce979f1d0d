"""A look at the disks while others may write to them: the host key at the first boot, a person in a `chroot`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from chainboot.boot.discovery import MOUNTS, Discovery, discover
from chainboot.boot.writable import reading
from chainboot.errors import ChainbootError
from chainboot.process import Runner
from chainboot.settings import RUNTIME

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
    """What the disks hold, as `discover` finds it, not in the middle of somebody's write if that can be helped."""
    with steady(runtime):
        return discover(run, sys_block=sys_block, mounts=mounts)
