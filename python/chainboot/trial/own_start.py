"""A boot that the running system starts itself (`chainboot boot`, the login shell), counted as in the first stage.

Only where a record is kept: without one there is no first stage that would fall back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chainboot.boot.candidate import Candidate
from chainboot.boot.cmdline import with_parameters
from chainboot.boot.host import Host
from chainboot.boot.plan import WriteRecord
from chainboot.boot.preflight import objections
from chainboot.errors import ChainbootError
from chainboot.settings import Settings
from chainboot.text import printable
from chainboot.trial import store
from chainboot.trial.assessment import verdict
from chainboot.trial.entry_id import entry_id
from chainboot.trial.record import EntryRecord, Record
from chainboot.trial.transition import settle, start
from chainboot.trial.words import words

# What is said of a system that starts another one before it has proved itself.
LEFT = "another entry was started from it before it had proved itself"


@dataclass(frozen=True, slots=True)
class OwnStart:
    """What the boot adds to the command line and writes. `now` gives seconds since 1970."""

    candidate: Candidate
    words: str
    steps: tuple[WriteRecord, ...]
    remarks: tuple[str, ...]
    tries: int
    now: Callable[[], int] = lambda: int(time.time())
    _written: list[tuple[Record, Record]] = field(default_factory=list, init=False, compare=False, repr=False)

    def write(self) -> str:
        """Write it down, once the entry is loaded; "", or a sentence where that fails: a person wants this boot."""
        if not self.steps:
            return ""
        configuration = self.candidate.configuration
        try:
            store.update(configuration.volume.root, store.place(configuration), self._noted)
        except ChainbootError as error:
            return f"the record of trials was not written: {error.message}"
        return ""

    def undo(self) -> str:
        """The machine has not left: what was written is taken back, for a try that never ran is none.

        "", or a sentence where that fails. What somebody else has written since stays.
        """
        if not self._written:
            return ""
        before, after = self._written.pop()
        configuration = self.candidate.configuration
        try:
            store.update(
                configuration.volume.root, store.place(configuration), lambda record: _undone(record, before, after)
            )
        except ChainbootError as error:
            return f"the try that was spent was not given back: {error.message}"
        return ""

    def _noted(self, record: Record) -> Record:
        after = self._after(record)
        self._written[:] = [(record, after)]
        return after

    def _after(self, record: Record) -> Record:
        return start(settle(record, LEFT, self.now()), entry_id(self.candidate.entry), self.tries, self.now())


def _undone(record: Record, before: Record, after: Record) -> Record:
    """`record` without what has led from `before` to `after`, where that still stands there."""
    if record.started == after.started:
        record = replace(record, started=before.started, expired=before.expired)
    if record.request == after.request:
        record = replace(record, request=before.request)
    if record.entries == after.entries:
        return replace(record, entries=before.entries)
    kept: list[EntryRecord] = []
    for entry in record.entries:
        was = before.find(entry.digest) if after.find(entry.digest) == entry else entry
        kept += [was] if was is not None else []
    return replace(record, entries=tuple(kept))


def own_start(candidate: Candidate, host: Host, now: Callable[[], int] = lambda: int(time.time())) -> OwnStart | None:
    """How booting `candidate` with its own command line is counted; None where it is not.

    The settings of the first stage are not known here: its defaults count. No watchdog is armed: it is systemd's.
    """
    tries, panic = Settings().tries, Settings().trial_panic
    configuration = candidate.configuration
    path = store.place(configuration)
    record = store.read(configuration.volume, path).record
    if record is None:
        return None
    digest = entry_id(candidate.entry)
    known = verdict(record, digest, tries)
    label = printable(candidate.entry.label)
    plain = OwnStart(candidate, words(digest, known.trial, candidate.cmdline, panic, ""), (), (), tries, now)
    if objections(candidate, with_parameters(candidate.boot_cmdline, plain.words), host):
        return None  # a line that is too long: as in the first stage, the words must not keep it from booting
    if plain._after(record) == record:
        return plain
    steps = (WriteRecord.of_start(f"{configuration.volume.root}{path}", label, known.trial),)
    remarks = (f"{label}: {known.describe()}",) if known.trial is not None else ()
    return OwnStart(candidate, plain.words, steps, remarks, tries, now)
