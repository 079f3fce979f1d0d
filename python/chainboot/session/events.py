"""What can happen to a menu: the events that `screen.update` understands.

Knows nothing of bytes, terminals or entries; it is the vocabulary that the decoders speak.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """A key. One character is that character; longer names are listed in `keys`: `Enter`, `C-a`, `A-b`, `C-Left`."""

    name: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: `now_ds` is a monotonic clock in tenths of a second."""

    now_ds: int


@dataclass(frozen=True, slots=True)
class Resize:
    """The terminal has this many cells now."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all views of this machine share, as it is now.

    The ends of the countdown are monotonic tenths of a second, None while it is stopped. `attached`: this session
    counts as somebody who is here; `others` are the names of the others. `waiting` is what the countdown has not begun
    for. `facts` are the lines of the banner. `leaving` is what the machine boots, now, whoever is here. `look_again`:
    somebody asked all sessions to look for disks and entries anew.
    """

    deadline_ds: int | None = None
    total_deadline_ds: int | None = None
    attached: bool = False
    others: tuple[str, ...] = ()
    waiting: str = ""
    facts: tuple[str, ...] = ()
    leaving: str = ""
    look_again: bool = False

    @property
    def end_ds(self) -> int | None:
        """When the timer boots; None while the countdown is stopped."""
        return min((end for end in (self.deadline_ds, self.total_deadline_ds) if end is not None), default=None)


@dataclass(frozen=True, slots=True)
class Boot:
    """A person names the entry to boot, by its number, in one step."""

    index: int


@dataclass(frozen=True, slots=True)
class Edit:
    """A person names the entry whose command line to edit, by its number."""

    index: int


@dataclass(frozen=True, slots=True)
class Replace:
    """The whole text of the editor was typed anew, and confirmed."""

    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A person asks for something in words that are a request, as over SSH (see `request`)."""

    words: str


@dataclass(frozen=True, slots=True)
class EndOfInput:
    """Nothing more can be typed here; only the countdown, if it runs, can still decide."""


Event = Key | Tick | Resize | Surroundings | Boot | Edit | Replace | Ask | EndOfInput
