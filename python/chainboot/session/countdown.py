"""The one countdown of a machine: when the timer boots, as all views of it see it. Pure.

Whoever looks, observes: the first view that notices that somebody came or left writes what follows from it, and the
others read it (`shared`). Times are monotonic tenths of a second, the same clock in every process.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Countdown:
    """What is written down. `total_ds` is the end of TOTALTIMEOUT, which no key on a console stops.

    `started`: it has run, so the person whose leaving starts it again gets the grace period and no more.
    """

    deadline_ds: int | None = None
    total_ds: int | None = None
    started: bool = False
    held: bool = False

    def encode(self) -> str:
        """One line of text."""
        numbers = ("-" if value is None else str(value) for value in (self.deadline_ds, self.total_ds))
        return f"{' '.join(numbers)} {int(self.started)} {int(self.held)}\n"


def decode(text: str) -> Countdown:
    """What `encode` wrote; a countdown that has not begun for anything else."""
    words = text.split()
    if len(words) != 4 or not all(word == "-" or (word.isascii() and word.isdigit()) for word in words):
        return Countdown()
    deadline, total = (None if word == "-" else int(word) for word in words[:2])
    return Countdown(deadline, total, words[2] == "1", words[3] == "1")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What one view sees now.

    `ready`: disks are known, and SSH answers or is not to be waited for. `window_ds` is how long the countdown runs,
    None: nothing boots by itself after a time; `total_window_ds` the same for TOTALTIMEOUT. `attached`: somebody is
    here, at a console or over SSH; `remote`: over SSH, or holding it by the verb `hold`, which also holds TOTALTIMEOUT.
    """

    now_ds: int
    ready: bool
    window_ds: int | None
    total_window_ds: int | None
    grace_ds: int
    attached: bool = False
    remote: bool = False


def observe(before: Countdown, seen: Circumstances) -> Countdown:
    """The countdown after somebody has looked. Looking again with the same circumstances changes nothing."""
    if seen.window_ds is None and seen.total_window_ds is None:
        # This view has nothing to boot; another one may see a disk that this one has not.
        return before
    if seen.attached or seen.remote:
        total = before.total_ds
        if total is None and seen.ready and not seen.remote:
            total = _after(seen.now_ds, seen.total_window_ds, 0)
        return Countdown(None, total, before.started, held=True)
    if not before.started:
        if not seen.ready:
            return before
        # Somebody was here before it ever ran: they get at least the grace period to come back.
        least = seen.grace_ds if before.held else 0
        return Countdown(
            _after(seen.now_ds, seen.window_ds, least),
            before.total_ds if before.total_ds is not None else _after(seen.now_ds, seen.total_window_ds, least),
            started=True,
        )
    if before.held:
        least = seen.now_ds + seen.grace_ds
        deadline = None if seen.window_ds is None else least
        total = _after(seen.now_ds, seen.total_window_ds, seen.grace_ds)
        total = total if before.total_ds is None else max(before.total_ds, least)
        return Countdown(deadline, total, started=True)
    return before


def restarted(seen: Circumstances) -> Countdown:
    """The countdown to the next entry, after one that did not load."""
    return Countdown(_after(seen.now_ds, seen.window_ds, 0), _after(seen.now_ds, seen.total_window_ds, 0), started=True)


def _after(now_ds: int, window_ds: int | None, least_ds: int) -> int | None:
    return None if window_ds is None else now_ds + max(window_ds, least_ds)
