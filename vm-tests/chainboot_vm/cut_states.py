"""Which states a power cut can leave a disk in: writes, flushes and marks to sets of writes that got there. Pure.

What was written before a flush is on the disk after it. Of what was not flushed yet any part may be there, in any
order, and a write may be torn. A mark is a write that the one who writes makes beside the file system, to say how far
it is; it is no part of a state. Knows nothing of what is written.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from chainboot.errors import ChainbootError
from chainboot_vm.write_log import Write

SECTOR = 512

# All subsets of so many writes are tried. Of more only some are: every prefix, every set that lacks one write or has
# only one, and so many random ones.
ALL_SUBSETS = 8
RANDOM_SUBSETS = 100

# Kinds of work, and the number of the last step of each.
Steps = dict[str, int]

_MARK = re.compile(rb"<(begin|end) (\w+) (\d+)>")


@dataclass(frozen=True, slots=True)
class Window:
    """Writes between two flushes.

    `most[k]` are the steps that had begun when the k-th write (from 1) was made, `most[0]` at the start; `least` those
    that had ended before the second flush.
    """

    writes: tuple[Write, ...]
    most: tuple[Steps, ...]
    least: Steps


@dataclass(frozen=True, slots=True)
class State:
    """What of a window got to the disk: the writes with the numbers `kept` (from 0) and then the bytes of `torn`.

    Steps up to `least` must be there, and later ones than `most` cannot be.
    """

    kept: tuple[int, ...]
    torn: Write | None
    least: Steps
    most: Steps


def mark(what: str, kind: str, number: int) -> bytes:
    """What a mark says: that a step begins or ends (`what`)."""
    return f"<{what} {kind} {number}>".encode()


def windows(record: Iterable[Write], mark_at: int) -> Iterator[Window]:
    """The windows of a record in which marks are writes at byte `mark_at`. Raises `ChainbootError` for an odd mark."""
    least: Steps = {}
    begun: Steps = {}
    writes: list[Write] = []
    most: list[Steps] = [{}]
    for write in record:
        if write.data and write.offset == mark_at:
            # Wherever it begins in its sector: the mark is repeated in it to its end.
            found = _MARK.search(write.data * 2)
            if found is None:
                raise ChainbootError(f"there is no mark in {write.data[:64]!r}")
            (begun if found[1] == b"begin" else least)[found[2].decode()] = int(found[3])
        elif write.data:
            writes.append(write)
            most.append(dict(begun))
        if write.flush:
            yield Window(tuple(writes), tuple(most), dict(least))
            writes, most = [], [dict(begun)]
    yield Window(tuple(writes), tuple(most), dict(least))


def states(window: Window, random_source: random.Random, tears: Callable[[Write], bool]) -> Iterator[State]:
    """The states that a power cut in this window can leave, each set of writes once, torn ones last.

    `tears` says which writes a disk may do in part.
    """
    for kept in _subsets(len(window.writes), random_source):
        last = kept[-1] + 1 if kept else 0
        yield State(kept, None, window.least, window.most[last])
    for number, write in enumerate(window.writes):
        if tears(write):
            for torn in _tears(write):
                yield State(tuple(range(number)), torn, window.least, window.most[number + 1])


def _subsets(count: int, random_source: random.Random) -> list[tuple[int, ...]]:
    everything = range(count)
    if count <= ALL_SUBSETS:
        return [kept for size in range(count + 1) for kept in combinations(everything, size)]
    chosen = [tuple(everything[:size]) for size in range(count + 1)]
    chosen += [(number,) for number in everything]
    chosen += [tuple(other for other in everything if other != number) for number in everything]
    for _ in range(RANDOM_SUBSETS):
        chance = random_source.random()
        chosen.append(tuple(number for number in everything if random_source.random() < chance))
    return list(dict.fromkeys(chosen))


def _tears(write: Write) -> Iterator[Write]:
    """The first sectors of a write without the others, and the last ones."""
    sectors = len(write.data) // SECTOR
    for count in sorted({1, sectors // 2, sectors - 1} & set(range(1, sectors))):
        size = count * SECTOR
        yield Write(write.offset, write.data[:size], flush=False)
        yield Write(write.offset + len(write.data) - size, write.data[-size:], flush=False)
