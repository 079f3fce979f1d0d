"""What a machine with trial boots should do, in as few words as there are rules: the other opinion in `make soak`.

Pure, and knows nothing of chainboot: it imports none of it, so that a mistake there is not made here as well. Entries
are generations by their numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Trial = tuple[int, int] | None
"""Try k of n; None for a boot that is not counted."""


@dataclass
class Entry:
    """What is known of a generation: whether it is good and how often it was blessed; tries left and spent."""

    left: int
    spent: int = 0
    good: bool = False
    boots: int = 0

    @property
    def bad(self) -> bool:
        return not self.good and self.left == 0


@dataclass(frozen=True)
class Request:
    """What the next boot was asked to be; one that stays holds as long as `default` is the default."""

    number: int
    once: bool
    default: int


@dataclass
class Model:
    """A machine with these generations. `broken` are those whose kernel cannot be loaded."""

    default: int
    entries: dict[int, Entry]
    tries: int = 2
    request: Request | None = None
    broken: set[int] = field(default_factory=set)

    def decided(self) -> int | None:
        """What the menu names as the one that boots by itself, before anything was loaded."""
        return self._decide(set())

    def boots_by_itself(self) -> tuple[int, Trial] | None:
        """Nobody is there. What comes up, and as which try; None where the machine waits for a person."""
        refused: set[int] = set()
        while (number := self._decide(refused)) in self.broken:
            assert number is not None
            refused.add(number)
        if number is None:
            return None
        trial = self.boots(number)
        if self.request is not None and self.request.number != number:
            self.request = None  # it led nowhere
        return number, trial

    def boots(self, number: int) -> Trial:
        """A generation is started, by whom does not matter here; gives the try as which it is."""
        if self.request is not None and self.request.once and self.request.number == number:
            self.request = None
        entry = self.entries[number]
        if entry.good:
            return None
        trial = entry.spent + 1, entry.spent + max(entry.left, 1)
        entry.left = max(entry.left - 1, 0)
        entry.spent += 1
        return trial

    def blesses(self, number: int) -> None:
        """The running generation has proved itself."""
        entry = self.entries[number]
        self.entries[number] = Entry(0, 0, good=True, boots=entry.boots + 1)

    def asks(self, number: int, *, once: bool) -> None:
        """`next`."""
        self.request = Request(number, once, self.default)
        if not once:
            self._forgive(number)

    def clears(self) -> None:
        """`next --clear`."""
        self.request = None

    def rolls_back(self, current: int) -> bool:
        """`rollback` where `current` runs, or would boot by itself. Whether there is anything to go back to."""
        others = [number for number, entry in self.entries.items() if entry.good and number != current]
        if not others:
            return False
        self.asks(max(others), once=False)
        return True

    def sets_default(self, number: int) -> None:
        """`set-default`."""
        self.default = number
        self.request = None
        self._forgive(number)

    def updates(self, number: int) -> None:
        """An update: the generation is another entry now, of which nothing is known."""
        self.entries[number] = Entry(self.tries)
        asked = self.request
        if asked is not None and (asked.number == number or (not asked.once and asked.default == number)):
            self.request = None  # it is about an entry that is gone

    def _forgive(self, number: int) -> None:
        if self.entries[number].bad:
            self.entries[number] = Entry(self.tries)

    def _decide(self, refused: set[int]) -> int | None:
        asked = self.request
        if asked is not None and asked.number not in refused:
            holds = asked.once or (asked.default == self.default and not self.entries[asked.number].bad)
            if holds:
                return asked.number
        own = self.default if self.default not in refused else None
        if own is not None and not self.entries[own].bad:
            return own
        good = [number for number, entry in self.entries.items() if entry.good and number not in refused]
        if good:
            return max(good)
        if own is not None:
            return own
        # The newest first, as NixOS writes them; what has tries left before what has none.
        rest = sorted(self.entries.keys() - refused, key=lambda number: (self.entries[number].bad, -number))
        return rest[0] if rest else None
