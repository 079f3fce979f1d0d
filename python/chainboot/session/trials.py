"""What the records of trials say of a machine's entries, at one look. Pure: reading them is done in `attempt`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from chainboot.boot.candidate import Candidate, own_default
from chainboot.boot.volume import Configuration
from chainboot.text import printable
from chainboot.trial.assessment import Assessment, Kind, Plausible, Verdict, assess, newest_good, verdict
from chainboot.trial.entry_id import entry_id
from chainboot.trial.evidence import Evidence
from chainboot.trial.record import Record
from chainboot.trial.store import Reading, place

_OFF = "Trials are off"

Place = tuple[str, str]
"""Where a record is: the root of its volume on this machine, and its path inside the volume."""


def place_of(configuration: Configuration) -> Place:
    """The record in which the entries of `configuration` are counted."""
    return configuration.volume.root, place(configuration)


@dataclass(frozen=True, slots=True)
class Trials:
    """`tries` and `window` (seconds) are settings; 0 tries: trials are off.

    `unsettled` is what is known of the try that was spent last in a record, where it was not answered.
    """

    tries: int = 0
    window: int = 0
    readings: Mapping[Place, Reading] = field(default_factory=dict)
    unsettled: Mapping[Place, Evidence] = field(default_factory=dict)

    def record(self, configuration: Configuration) -> Record | None:
        """The record in which entries of `configuration` are counted; None where trials are off for them."""
        reading = self.readings.get(place_of(configuration)) if self.tries else None
        return reading.record if reading is not None else None

    def verdict(self, candidate: Candidate) -> Verdict | None:
        """What is known of an entry; None where trials are off for it."""
        record = self.record(candidate.configuration)
        return None if record is None else verdict(record, entry_id(candidate.entry), self.tries)

    def problems(self, configurations: Sequence[Configuration]) -> tuple[str, ...]:
        """Sentences about records that are damaged or cannot be read."""
        return tuple(
            f"{configuration.volume.name}: {problem}"
            for configuration, reading in self._kept(configurations)
            for problem in reading.problems
        )

    def remarks(self, configurations: Sequence[Configuration]) -> tuple[str, ...]:
        """Sentences about volumes that have no record yet: nothing is wrong with them."""
        return tuple(
            f"{_OFF}: {configuration.volume.name} has no record of them until a booted system has blessed itself."
            for configuration, reading in self._kept(configurations)
            if reading.missing
        )

    def _kept(self, configurations: Sequence[Configuration]) -> list[tuple[Configuration, Reading]]:
        """Each record once, with the first configuration that it is for."""
        found: dict[Place, tuple[Configuration, Reading]] = {}
        for configuration in configurations if self.tries else ():
            reading = self.readings.get(place_of(configuration))
            if reading is not None and configuration.menu.entries:
                found.setdefault(place_of(configuration), (configuration, reading))
        return list(found.values())

    def assess(
        self,
        configurations: Sequence[Configuration],
        among: Sequence[Candidate],
        base: Candidate | None,
        why_not: Callable[[Candidate], str],
    ) -> Assessment | None:
        """Which entry the next boot takes; None where trials have nothing to say.

        `base` is what the configuration itself would boot; `why_not` says why an entry cannot boot, "" where it can.
        The record of that configuration decides, its request too: a disk that somebody plugs in chooses nothing. Only
        where nothing there is good, what is good on another one comes first.
        """
        record = self.record(base.configuration) if base is not None else None
        if record is None or base is None:
            return None
        own = [each for each in among if _is(each.configuration, base.configuration)]
        assessed = assess(plausible(own, why_not), record, base.index, self.tries)
        if assessed.kind not in (Kind.NOTHING, Kind.NOTHING_GOOD):
            return assessed
        for other in configurations:
            known = self.record(other)
            if known is None or _is(other, base.configuration):
                continue
            good = newest_good(plausible([each for each in among if _is(each.configuration, other)], why_not), known)
            if good is not None:
                told = f"{printable(good.label)} of {other.volume.name} is known to be good."
                return replace(assessed, index=good.index, reason=f"{assessed.reason} {told}", kind=Kind.FALLBACK)
        return assessed

    def good_besides(
        self, candidate: Candidate, among: Sequence[Candidate], why_not: Callable[[Candidate], str]
    ) -> Candidate | None:
        """The newest entry that is known to be good and is another one than `candidate`."""
        record = self.record(candidate.configuration)
        if record is None:
            return None
        own = [each for each in among if _is(each.configuration, candidate.configuration)]
        found = newest_good(plausible(own, why_not), record, (entry_id(candidate.entry),))
        return next((each for each in own if found is not None and each.index == found.index), None)


def _is(one: Configuration, other: Configuration) -> bool:
    """Whether both are the same file, be it read twice."""
    return (one.volume.root, one.path) == (other.volume.root, other.path)


# Nothing is counted.
OFF = Trials()


def plausible(among: Sequence[Candidate], why_not: Callable[[Candidate], str]) -> tuple[Plausible, ...]:
    """Entries of one configuration as `trial.assessment` wants them."""
    default = own_default(among[0].configuration, among) if among else None
    return tuple(
        Plausible(
            label=each.entry.label,
            digest=entry_id(each.entry),
            index=each.index,
            default=default is not None and each.index == default.index,
            generation=each.entry.nixos.generation if each.entry.nixos else None,
            why_not=why_not(each),
            hidden=each.entry.hidden,
        )
        for each in among
    )
