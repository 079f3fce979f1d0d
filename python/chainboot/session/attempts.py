"""Boots as the records of trials count them, done: records are read and written, the watchdog is armed.

The first stage's side: a volume is made writable for the moment of the write. What a record means is in `trial`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from chainboot.boot.candidate import Candidate
from chainboot.boot.cmdline import join
from chainboot.boot.discovery import Discovery
from chainboot.boot.volume import Configuration, Volume
from chainboot.boot.writable import NotReadOnlyError, own_directory, writable
from chainboot.child import in_child
from chainboot.errors import ChainbootError, RefusedError
from chainboot.process import Runner
from chainboot.session.attempt import Attempt
from chainboot.session.log import Log
from chainboot.session.trials import OFF, Place, Trials, place_of
from chainboot.session.volumes import steady
from chainboot.settings import Settings
from chainboot.text import printable
from chainboot.trial import evidence, kept_log, store, watchdog
from chainboot.trial.assessment import Standing
from chainboot.trial.entry_id import entry_id
from chainboot.trial.evidence import Evidence, gather
from chainboot.trial.record import Record
from chainboot.trial.store import Reading
from chainboot.trial.transition import clear_request, settle, start, take_back
from chainboot.trial.watchdog import NONE as NO_WATCHDOG
from chainboot.trial.watchdog import Watchdog, find
from chainboot.trial.words import words

# Seconds to wait for others who read or write: somebody waits for the jump.
_PATIENCE = 5.0
_LARGEST = 1 << 18

# Seconds for a write to a disk that may be dying; and for a look at what a failed system has left.
_LIMIT = 30.0
_LOOK_S = 15.0
_REFUSED = "refused: "


@dataclass
class Attempts:
    """Counts the boots of this machine. `now` is in seconds since 1970; `limit`, in seconds, is for one write."""

    run: Runner
    settings: Settings
    log: Log
    runtime: str
    now: Callable[[], int] = lambda: int(time.time())
    find_watchdog: Callable[[Runner], Watchdog | None] = find
    gather: Callable[[str, str, Sequence[Volume], int], Evidence] = gather
    update: Callable[[str, str, Callable[[Record], Record]], object] = store.update
    limit: float = _LIMIT
    _armed: Watchdog | None = field(default=None, init=False)

    def look(self, discovery: Discovery) -> Trials:
        """What the records of all volumes say now. Never raises.

        A try that was spent and not answered is put into words here, in memory; the next write has it.
        """
        if not self.settings.tries:
            return OFF
        readings: dict[Place, Reading] = {}
        unsettled: dict[Place, Evidence] = {}
        for configuration in discovery.configurations:
            at = place_of(configuration)
            if at in readings or not configuration.menu.entries:
                continue
            with steady(self.runtime):  # in the middle of somebody's write it would seem not to be there
                reading = store.read(configuration.volume, at[1])
            record = reading.record
            if record is not None and record.started:
                found = self._evidence(record, discovery)
                unsettled[at] = found
                reading = replace(reading, record=settle(record, found.why, self.now()))
            readings[at] = reading
        return Trials(self.settings.tries, self.settings.trial_window, readings, unsettled)

    def prepare(
        self, candidate: Candidate, trials: Trials, *, by_itself: bool, must: bool, dry_run: bool = False
    ) -> Attempt | None:
        """What booting `candidate` with its own command line does; None where nothing is counted.

        `by_itself`: nobody chose it just now. `must`: a try has to be written, see `Attempt`. In a `dry_run` no driver
        is loaded to look for a watchdog.
        """
        if not self.settings.tries:
            return None
        digest, label = entry_id(candidate.entry), printable(candidate.entry.label)
        configuration = candidate.configuration
        made = Attempt(configuration, digest, label, words(digest, None, candidate.cmdline, 0, ""))
        record, verdict = trials.record(configuration), trials.verdict(candidate)
        if record is None or verdict is None:
            return made
        unsettled = trials.unsettled.get(place_of(configuration))
        after = _started(record, digest, self.settings.tries, self.now(), by_itself=by_itself)
        # A request for one boot has to be gone before it, or it is followed for ever.
        once = record.request is not None and record.request.once and record.request.digest == digest
        made = replace(
            made,
            counted=True,
            must=must or (by_itself and once),
            by_itself=by_itself,
            writes=after != record or unsettled is not None,
            unsettled=unsettled,
        )
        if verdict.standing is Standing.GOOD:
            return made
        # What is bad is started by hand, or because nothing else is left: there is nothing to fall back to, and a
        # system in which nobody stops the watchdog must be left alone.
        wanted = verdict.standing is not Standing.BAD and bool(self.settings.trial_watchdog)
        watchdog = self.find_watchdog(self.run) if wanted and not dry_run else None
        seconds = watchdog.clamp(self.settings.trial_watchdog) if watchdog is not None else 0
        armed = watchdog.word(seconds) if watchdog is not None else ""
        remarks = [f"{label}: {verdict.describe()}"]
        if wanted and not dry_run:
            remarks.append(NO_WATCHDOG if watchdog is None else watchdog.describe(seconds))
        own = words(digest, verdict.trial, candidate.cmdline, self.settings.trial_panic, armed)
        return replace(
            made,
            added=join(own, self.settings.trial_append),
            own_words=len(own.split(" ")),
            trial=verdict.trial,
            watchdog=watchdog,
            seconds=seconds,
            remarks=tuple(remarks),
        )

    def record(self, attempt: Attempt) -> tuple[str, ...]:
        """Write down that it is started and arm the watchdog. Call it once the entry is loaded.

        Raises `RefusedError` where a try has to be written and cannot be; any other trouble is a sentence.
        """
        problems: list[str] = []
        acts = tuple(f"{act.time} {act.who}: {act.what}" for act in self.log.read())
        # Of a boot in which nothing happened but itself no log is kept: most boots need no write at all.
        if attempt.writes or (attempt.counted and len(acts) > 1):
            try:
                self._write(attempt, acts)
            except NotReadOnlyError as error:  # what matters is on the disk
                problems.append(str(error))
            except (ChainbootError, OSError) as error:
                if attempt.writes and attempt.must:
                    what = "it is on trial, and its try" if attempt.trial is not None else "that it boots only once"
                    raise RefusedError(f"{attempt.label} was not booted: {what} was not written: {error}") from error
                what = "record of trials" if attempt.writes else "log of this first stage"
                problems.append(f"the {what} was not written: {error}")
        if attempt.watchdog is not None:
            problem = watchdog.arm(attempt.watchdog, attempt.seconds)
            self._armed = attempt.watchdog if problem is None else None
            problems += [problem] if problem is not None else []
        for problem in problems:
            self.log.write("chainboot", problem)
        return tuple(problems)

    def undo(self, attempt: Attempt) -> str:
        """The machine did not jump: stop the watchdog and give the try back. Returns what is left of it, or ""."""
        left = ""
        if self._armed is not None:
            left = watchdog.disarm(self._armed) or ""
            self._armed = None
        if attempt.trial is not None:
            with suppress(ChainbootError, OSError):
                self.change(attempt.configuration, lambda record: take_back(record, attempt.digest))
        return left

    def change(self, configuration: Configuration, change: Callable[[Record], Record]) -> None:
        """Change the record of a configuration, which has to be there already. Raises `ChainbootError`."""
        path = place_of(configuration)[1]
        with writable(configuration.volume, self.run, runtime=self.runtime, patience=_PATIENCE) as root:
            self._bounded(lambda: self.update(root, path, change))

    def _write(self, attempt: Attempt, acts: Sequence[str]) -> None:
        configuration = attempt.configuration
        directory = own_directory(configuration)
        why = attempt.unsettled.why if attempt.unsettled is not None else ""

        def started(record: Record) -> Record:
            settled = settle(record, why, self.now())
            return _started(settled, attempt.digest, self.settings.tries, self.now(), by_itself=attempt.by_itself)

        def beside(root: str) -> str:
            problems = [kept_log.append(root, directory, acts)]
            if attempt.unsettled is not None:
                problems.append(evidence.keep(root, directory, attempt.unsettled))
            return "\n".join(filter(None, problems))

        with writable(configuration.volume, self.run, runtime=self.runtime, patience=_PATIENCE) as root:
            if attempt.writes:
                self._bounded(lambda: self.update(root, place_of(configuration)[1], started))
            # From here on nothing matters enough to keep the machine from booting.
            problems = in_child(lambda: beside(root), self.limit)
        for problem in ["the log was not written"] if problems is None else problems.splitlines():
            self.log.write("chainboot", problem)

    def _bounded(self, work: Callable[[], object]) -> None:
        """Do what may hang, on a dying disk, without hanging with it. Raises `ChainbootError`, with its words too."""

        def said() -> str:
            try:
                work()
            except (ChainbootError, OSError) as error:
                return f"{_REFUSED}{error}"
            return ""

        told = in_child(said, self.limit)
        if told is None:
            raise ChainbootError(f"it was not done within {self.limit:g} s: the disk may be dying")
        if told.startswith(_REFUSED):
            raise ChainbootError(told.removeprefix(_REFUSED))

    def _evidence(self, record: Record, discovery: Discovery) -> Evidence:
        """What is known of the entry that was started last and did not prove itself; looked for once, and not for long:
        a menu waits for it, and the disk that it is looked for on may be why it failed.
        """
        digest = record.started
        known = record.find(digest)
        cache = f"{self.runtime}/evidence-{digest}-{known.tries_done if known is not None else 0}"
        with suppress(OSError, ValueError), open(cache, encoding="utf-8", errors="replace") as file:
            return _as_evidence(digest, file.read(_LARGEST))
        # What the record says is about this try only where its own system wrote it when it gave up.
        own = known.why if known is not None and record.expired else ""
        since = known.since if known is not None else 0

        def look() -> str:
            found = self.gather(digest, own, discovery.volumes, since)
            return "\n".join((found.why, *found.lines))

        told = in_child(look, min(self.limit, _LOOK_S)) or own or evidence.NO_WORD
        fresh = f"{cache}.{os.getpid()}"
        with suppress(OSError):
            with open(fresh, "w", encoding="utf-8", errors="replace") as file:
                file.write(told)
            os.rename(fresh, cache)
        return _as_evidence(digest, told)


def _as_evidence(digest: str, text: str) -> Evidence:
    why, *lines = text.split("\n")
    return Evidence(digest, why, tuple(lines))


def _started(record: Record, digest: str, tries: int, now: int, *, by_itself: bool) -> Record:
    """The record once the entry is started. What nobody chose follows every request: one that is left leads nowhere."""
    after = start(record, digest, tries, now)
    left = after.request is not None and after.request.digest != digest
    return clear_request(after) if by_itself and left else after
