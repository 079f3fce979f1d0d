"""The running system's side of a trial: its proof of life, and giving up.

Knows what the kernel's command line says of this boot, where its record is, and what was decided since the start
(files below /run, gone with the boot). Knows nothing of who asks, nor how the machine is restarted.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum

from chainboot.boot.candidate import Candidate, own_default
from chainboot.boot.lock import try_lock
from chainboot.boot.volume import Configuration
from chainboot.errors import ChainbootError, RefusedError
from chainboot.settings import RUNTIME
from chainboot.text import counted
from chainboot.trial import store, transition
from chainboot.trial.entry_id import entry_id
from chainboot.trial.record import EntryRecord, Record
from chainboot.trial.store import SYSTEM, System
from chainboot.trial.words import Booted, read_words

TOO_LATE = "it is too late: this boot has been given up"
NOT_COUNTED = "this boot is not counted: no first stage that keeps a record has started it as an entry of its own"

_BLESSED = "blessed"
_EXPIRED = "expired"
_LOCK = "proof"

# Who blesses waits for another one, which takes as long as the record: seconds, and between two looks.
_PATIENCE_S = 20.0
_LOOK_S = 0.05


class State(Enum):
    """How this boot stands."""

    GOOD = "good"  # it was good before it was started
    WAITS = "waits"
    BLESSED = "blessed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Home:
    """Where the running entry is counted: the configuration, and all entries that share its record.

    `whole`: nothing was left out that could not be read.
    """

    configuration: Configuration
    among: tuple[Candidate, ...]
    whole: bool = True

    @property
    def root(self) -> str:
        """The root of the volume on this machine; "" for the running system's own."""
        return self.configuration.volume.root

    @property
    def path(self) -> str:
        """Of the record, inside the volume."""
        return store.place(self.configuration)

    def named(self, digest: str) -> tuple[Candidate, ...]:
        """The entries with this digest: often two, the default and the same by its own name."""
        return tuple(each for each in self.among if entry_id(each.entry) == digest)

    @property
    def own_default(self) -> Candidate | None:
        """What this configuration boots where nobody asks for anything else."""
        return own_default(self.configuration, self.among)


def find_home(
    configurations: Sequence[Configuration], among: Sequence[Candidate], digest: str, *, whole: bool = True
) -> Home:
    """The home of the entry `digest`: of the first configuration that has it, else of the first one there is.

    `whole`: no configuration was left out.
    """
    having = (each.configuration for each in among if entry_id(each.entry) == digest)
    without = any(each.code.startswith("include-") for one in configurations for each in one.menu.diagnostics)
    return replace(home_of(next(having, configurations[0]), among), whole=whole and not without)


def home_of(configuration: Configuration, among: Sequence[Candidate]) -> Home:
    """The home of all entries of `configuration`."""
    at = configuration.volume.root, store.place(configuration)
    return Home(
        configuration,
        tuple(each for each in among if (each.configuration.volume.root, store.place(each.configuration)) == at),
    )


def read_booted(cmdline: str = "/proc/cmdline") -> Booted | None:
    """What the first stage has said of this boot; None where it is not counted."""
    try:
        with open(cmdline, encoding="utf-8", errors="surrogateescape") as file:
            return read_words(file.read())
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Life:
    """This boot. `now` gives seconds since 1970, `uptime` seconds since the kernel's start."""

    booted: Booted
    runtime: str = RUNTIME
    now: Callable[[], int] = lambda: int(time.time())
    uptime: Callable[[], float] = time.monotonic
    calls: System = SYSTEM

    @property
    def state(self) -> State:
        """How this boot stands, by what was decided since its start."""
        if self._has(_BLESSED):
            return State.BLESSED
        if self._has(_EXPIRED):
            return State.EXPIRED
        return State.GOOD if self.booted.trial is None else State.WAITS

    def bless(
        self, home: Home, besides: Callable[[Record], Record] = lambda record: record, *, again: bool = False
    ) -> tuple[str, ...]:
        """Mark the running entry as good, once for each boot, and forget entries that are gone.

        The record is made if there is none. `besides` is another change in the same write; `again`: blessed in this
        boot or not, as where the record has vanished since. Returns sentences; raises `RefusedError` where it is too
        late or the record cannot be written.
        """
        with self._alone():
            return self._bless(home, besides, again=again)

    def _bless(self, home: Home, besides: Callable[[Record], Record], *, again: bool) -> tuple[str, ...]:
        digest = self.booted.digest
        what = describe(home, digest)
        if self.state is State.BLESSED and not again:
            return (f"{what} has been blessed in this boot already",)
        if self._has(_EXPIRED) and not self._has(_BLESSED):
            raise RefusedError(f"{what} was not blessed: {TOO_LATE}")

        def change(record: Record) -> Record:
            if self._has(_EXPIRED):  # while the record was waited for
                raise RefusedError(f"{what} was not blessed: {TOO_LATE}")
            if record.expired:
                # Of an earlier boot, after which a first stage could not write.
                record = transition.settle(record, transition.UNPROVED, self.now())
            record = transition.bless(record, digest, self.now())
            if home.whole:
                # Else what cannot be read at the moment would lose its "good", and with it be no way back.
                record = transition.keep_only(record, {*(entry_id(each.entry) for each in home.among), digest})
            return besides(record)

        record = store.update(home.root, home.path, change, self.calls, create=True)
        told = self._note(_BLESSED)
        entry = record.find(digest) or EntryRecord(digest, good=True, boots=1)
        return (f"{what} is good ({counted(entry.boots, 'boot')})", *told)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else blesses this boot meanwhile. Goes on where that cannot be: to count a boot twice harms nobody."""
        descriptor = -1
        with suppress(OSError):
            os.makedirs(self.runtime, mode=0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(f"{self.runtime}/{_LOCK}", flags, 0o600)
            until = time.monotonic() + _PATIENCE_S
            while not try_lock(descriptor, fcntl.LOCK_EX) and time.monotonic() < until:
                time.sleep(_LOOK_S)
        try:
            yield
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def expire(self, home: Home | None, why: str) -> tuple[bool, tuple[str, ...]]:
        """Give this boot up: whether it is over, and sentences. A boot that is no trial, or is blessed, goes on.

        `home` is None where its configuration cannot be found. Never raises: a record that cannot be written is a
        sentence, and the tries that were spent count all the same.
        """
        digest = self.booted.digest
        if self.booted.trial is None:
            return False, ("this boot is no trial: it goes on",)
        if self.state is State.BLESSED:
            return False, ("this boot has proved itself: it goes on",)
        # First of all: whoever blesses at this moment has to see it.
        told = list(self._note(_EXPIRED))
        if home is None:
            told.append("the record does not say so: its configuration was not found")
        else:
            try:
                record = store.update(home.root, home.path, lambda record: self._given_up(record, why), self.calls)
            except ChainbootError as error:
                told.append(f"the record does not say so: {error.message}")
            else:
                known = record.find(digest)
                if known is not None and known.good:  # blessed while the record was waited for
                    with suppress(OSError):
                        os.unlink(f"{self.runtime}/{_EXPIRED}")
                    return False, ("this boot has proved itself: it goes on",)
        return True, (f"this boot is given up: {why}", *told)

    def _given_up(self, record: Record, why: str) -> Record:
        known = record.find(self.booted.digest)
        if known is not None and known.good:
            return record
        return transition.expire(record, self.booted.digest, why, self.now())

    def _has(self, name: str) -> bool:
        return os.path.exists(f"{self.runtime}/{name}")

    def _note(self, name: str) -> tuple[str, ...]:
        """Leave a mark for the rest of this boot."""
        try:
            os.makedirs(self.runtime, mode=0o700, exist_ok=True)
            with open(f"{self.runtime}/{name}", "w", encoding="ascii") as file:
                file.write(f"{self.booted.digest}\n")
        except OSError as error:
            with suppress(OSError):
                os.unlink(f"{self.runtime}/{name}")
            return (f"{self.runtime}/{name} was not written: {error.strerror}",)
        return ()


def describe(home: Home, digest: str) -> str:
    """The entry by its labels, else by its id."""
    named = home.named(digest)
    return " = ".join(each.entry.label for each in named) if named else f"the entry {digest}"
