"""One boot as the records of trials count it: what it adds to the command line, what it writes, and what it arms."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chainboot.boot.cmdline import join
from chainboot.boot.plan import ArmWatchdog, WriteRecord
from chainboot.boot.volume import Configuration
from chainboot.session.trials import place_of
from chainboot.trial.evidence import Evidence
from chainboot.trial.watchdog import Watchdog
from chainboot.trial.words import OPEN_TIMEOUT, TRIAL, WATCHDOG

# Names of words that a command line may have no room for, what matters least first.
_LEAST = ((WATCHDOG, OPEN_TIMEOUT), ("panic",), (TRIAL,))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One boot. `trial` is (k, n) for try k of n, None for an entry that is good or is not `counted`: has no record.

    `writes`: the record changes by it. `must`: and has to, since nobody chose this entry and a good one is there.
    `unsettled` is what is known of the try before, which is written down with it. `added` are the words for the
    command line, `remarks` sentences for a person.
    """

    configuration: Configuration
    digest: str
    label: str
    added: str
    trial: tuple[int, int] | None = None
    counted: bool = False
    by_itself: bool = False
    writes: bool = False
    must: bool = False
    unsettled: Evidence | None = None
    watchdog: Watchdog | None = None
    seconds: int = 0
    remarks: tuple[str, ...] = ()
    own_words: int = 1

    def shorter(self) -> tuple[Attempt, ...]:
        """This one, and those with fewer words on the command line, what matters least left out first.

        That is what was set for trials, the watchdog, `panic=`, and that it is a trial. Who it is stays to the last.
        """
        kept = self.added.split(" ")[: self.own_words]
        found = [self, replace(self, added=join(*kept))]
        # Without its word the booted system would not know of the watchdog that it has to feed or stop.
        unarmed = replace(self, watchdog=None, remarks=self.remarks[:1])
        for least in _LEAST:
            kept = [word for word in kept if word.partition("=")[0] not in least]
            found.append(replace(unarmed, added=join(*kept)))
        return tuple(found)

    @property
    def steps(self) -> tuple[WriteRecord | ArmWatchdog, ...]:
        """The steps of the plan, in the order in which they are done."""
        steps: list[WriteRecord | ArmWatchdog] = []
        if self.writes:
            root, path = place_of(self.configuration)
            steps.append(WriteRecord.of_start(f"{root}{path}", self.label, self.trial))
        if self.watchdog is not None:
            steps.append(ArmWatchdog(self.watchdog.driver, self.seconds))
        return tuple(steps)
