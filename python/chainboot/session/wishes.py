"""What a person in the first stage wants of the next boots: `next`, `rollback`, `set-default`; and why an entry failed.

A wish is kept on the volume of the configuration, which is made writable for that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainboot.boot.candidate import Candidate, choose, own_default
from chainboot.boot.change import default_change
from chainboot.boot.discovery import Discovery
from chainboot.boot.volume import Configuration
from chainboot.boot.writable import own_directory, writable
from chainboot.errors import ChainbootError, NotFoundError, RefusedError
from chainboot.listing import Json, verdict_json
from chainboot.session.attempts import Attempts
from chainboot.session.choice import Autoboot, cannot_boot
from chainboot.session.departure import Departure
from chainboot.session.log import Log
from chainboot.session.overview import Overview
from chainboot.session.trials import Trials, place_of
from chainboot.session.volumes import steady
from chainboot.text import printable
from chainboot.trial import evidence, kept_log, store
from chainboot.trial.entry_id import entry_id
from chainboot.trial.failure_report import report, report_json
from chainboot.trial.record import Record, Request
from chainboot.trial.transition import ask, clear_request, forgive

_PATIENCE = 10.0
_LOG_LINES = 40


@dataclass(frozen=True, slots=True)
class Wish:
    """What came of it: text for a person, the same for a program, and sentences for stderr."""

    text: str
    json: Json
    notes: tuple[str, ...] = ()


@dataclass
class Wishes:
    """The wishes of one session. Raises `ChainbootError` where one cannot be had; then nothing has changed."""

    departure: Departure
    overview: Overview
    log: Log
    discovery: Discovery
    among: Sequence[Candidate]
    trials: Trials
    decided: Autoboot

    def next(self, reference: str | None, *, once: bool) -> Wish:
        """`reference` is what boots by itself from now on, or with `once` the next time. None: nothing is wished."""
        attempts = self._attempts()
        if reference is None:
            return self._clear(attempts)
        return self._ask(attempts, choose(self.among, reference), once=once)

    def rollback(self) -> Wish:
        """The newest good entry that is another one than what would boot by itself now."""
        attempts = self._attempts()
        current = next((each for each in self.among if each.index == self.decided.index), None)
        current = current or next((each for each in self.among if each.default), None)
        if current is None:
            raise NotFoundError("there is no default entry to roll back from", hint="`next ENTRY` names one")
        self._need_record(current.configuration)
        failed = self.overview.shared.failed()
        good = self.trials.good_besides(current, self.among, lambda each: cannot_boot(each, failed))
        if good is None:
            raise NotFoundError(
                f"no entry beside {current.entry.label} is known to be good", hint="`next ENTRY` takes any entry"
            )
        return self._ask(attempts, good, once=False)

    def set_default(self, reference: str | None, *, force: bool, dry_run: bool) -> Wish:
        """Make an entry the default in its configuration file; wishes of before are forgotten."""
        candidate = choose(self.among, reference)
        change = default_change(self.among, candidate, force=force)
        label = printable(candidate.entry.label)
        if dry_run:
            return Wish(change.difference(), {"default": label, "changed": change.needed}, change.notes)
        configuration, attempts = candidate.configuration, self.departure.attempts
        record = self.trials.record(configuration)
        tries = self.overview.settings.tries

        def forget(record: Record) -> Record:
            return forgive(clear_request(record), entry_id(candidate.entry), tries)

        notes = list(change.notes)
        if change.needed or (record is not None and forget(record) != record):
            with writable(
                configuration.volume, self.departure.run, runtime=self.departure.runtime, patience=_PATIENCE
            ) as root:
                if change.needed:
                    change.write()
                if record is not None and attempts is not None:
                    try:
                        store.update(root, place_of(configuration)[1], forget)
                    except ChainbootError as error:
                        notes.append(f"the record of trials still has what was wished before: {error.message}")
        self._look_again(f"makes {label} the default")
        text = f"{label} is {'now' if change.needed else 'already'} the default of {change.place}\n"
        return Wish(text, {"default": label, "changed": change.needed}, tuple(notes))

    def _ask(self, attempts: Attempts, candidate: Candidate, *, once: bool) -> Wish:
        configuration, label = candidate.configuration, printable(candidate.entry.label)
        deciding = next((each.configuration for each in self.among if each.default), configuration)
        if place_of(configuration) != place_of(deciding) or configuration.path != deciding.path:
            raise RefusedError(
                f"{label} is of another configuration than the one from which this machine boots by itself",
                hint="`boot ENTRY` boots it now",
            )
        self._need_record(configuration)
        if candidate.reasons:
            raise RefusedError(f"{label} cannot boot: {'; '.join(candidate.reasons)}")
        default = own_default(configuration, self.among)
        wish = Request(
            entry_id(candidate.entry),
            once,
            "" if once or default is None else entry_id(default.entry),
            self.overview.person.name,
            attempts.now(),
        )
        tries = self.overview.settings.tries
        attempts.change(configuration, lambda record: ask(record, wish, tries))
        self._look_again(f"wants {label} {'to boot once' if once else 'to boot from now on'}")
        told = f"{label} boots the next time, and only then" if once else f"{label} boots by itself from now on"
        until = "" if once else ", until the configuration gets another default"
        verdict = self.trials.verdict(candidate)
        notes = (f"{label} is {verdict.describe()}",) if verdict is not None else ()
        return Wish(f"{told}{until}\n", {"next": candidate.entry.label, "once": once}, notes)

    def _clear(self, attempts: Attempts) -> Wish:
        asked = [
            each
            for each in self.discovery.configurations
            if (record := self.trials.record(each)) is not None and record.request is not None
        ]
        for configuration in asked:
            attempts.change(configuration, clear_request)
        self._look_again("forgets what was to boot next")
        return Wish("the configuration decides what boots\n", {"next": None, "once": False})

    def _attempts(self) -> Attempts:
        if self.departure.attempts is None or not self.overview.settings.tries:
            raise RefusedError("trials are off on this machine (setting tries)", hint="`set-default ENTRY` is lasting")
        return self.departure.attempts

    def _need_record(self, configuration: Configuration) -> None:
        if self.trials.record(configuration) is None:
            raise RefusedError(
                f"{configuration.volume.name} has no record of trials that could be kept",
                hint="a system that has booted makes it; `set-default ENTRY` is lasting, `boot ENTRY` boots it now",
            )

    def _look_again(self, act: str) -> None:
        self.log.write(self.overview.person.name, act)
        self.overview.shared.look_again()


def failure(candidate: Candidate, trials: Trials, runtime: str) -> tuple[str, Json]:
    """Everything that is known of why an entry failed: for a person, and for a program."""
    configuration, digest = candidate.configuration, entry_id(candidate.entry)
    directory = own_directory(configuration)
    verdict = trials.verdict(candidate)
    unsettled = trials.unsettled.get(place_of(configuration))
    now = unsettled.lines if unsettled is not None and unsettled.digest == digest else ()
    with steady(runtime):
        kept = evidence.recall(configuration.volume, directory, digest)
        log = kept_log.tail(configuration.volume, directory, _LOG_LINES)
    described = verdict.describe() if verdict is not None else "trials are off for this entry"
    parts = (candidate.entry.label, described, now, kept, log)
    known: dict[str, Json] = {"trials": verdict_json(verdict)}
    for name, value in report_json(*parts).items():
        known[name] = value if isinstance(value, str) else list(value)
    return f"{report(*parts)}\n", known
