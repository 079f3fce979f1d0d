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
class Hold:
    """Somebody is attached elsewhere, which holds the countdown; `held` False: the last of them has gone."""

    held: bool = True


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
class EndOfInput:
    """Nothing more can be typed here; only the countdown, if it runs, can still decide."""


Event = Key | Tick | Resize | Hold | Boot | Edit | Replace | EndOfInput
