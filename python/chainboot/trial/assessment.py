"""Which entry the next boot takes, and why; and how each entry stands. Pure.

Knows the record and a few facts about each entry; knows nothing of disks, of windows in seconds or of menus.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from chainboot.text import clip, counted, printable
from chainboot.trial.record import Record, Request
from chainboot.trial.transition import known_time, tries_left

# Terminal cells of a label, and of a reason, in a sentence for the menu.
_LABEL_CELLS = 60
_WHY_CELLS = 160


class Standing(Enum):
    """What is known of an entry: nothing, tries are left, proved, or spent and unproved."""

    NEW = "new"
    TRIAL = "trial"
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an entry stands. `since` is in seconds since 1970, 0 where it is not known; the rest as in the record."""

    standing: Standing
    tries_left: int
    tries_done: int
    boots: int
    since: int
    why: str

    @property
    def trial(self) -> tuple[int, int] | None:
        """Its next start as (try, of how many); None for a good entry, which is on no trial.

        A bad entry that a person starts all the same is on a try beyond those that it had.
        """
        if self.standing is Standing.GOOD:
            return None
        return self.tries_done + 1, self.tries_done + max(self.tries_left, 1)

    def badge(self) -> str:
        """A word or two for the menu: `new`, `trial 1 of 2` (its next), `good`, `bad`."""
        if self.standing is not Standing.TRIAL or self.trial is None:
            return self.standing.value
        return f"trial {self.trial[0]} of {self.trial[1]}"

    def describe(self) -> str:
        """All of it: `never booted`, `trial 1 of 2`, `good (12 boots)`, `bad since 2026-11-23 10:00 UTC: why`."""
        why = _short(self.why)
        match self.standing:
            case Standing.NEW:
                return "never booted"
            case Standing.GOOD:
                return f"good ({counted(self.boots, 'boot')})"
            case Standing.TRIAL:
                return f"{self.badge()}, the last one failed: {why}" if why else self.badge()
            case Standing.BAD:
                since = f"bad since {_date(self.since)}" if known_time(self.since) else "bad"
                return f"{since}: {why}" if why else since


def verdict(record: Record | None, digest: str, tries: int) -> Verdict:
    """How the entry stands. One that is not in the record (or without a record) has all `tries` before it."""
    entry = record.find(digest) if record is not None else None
    if entry is None:
        return Verdict(Standing.NEW, tries_left=max(tries, 0), tries_done=0, boots=0, since=0, why="")
    standing = Standing.GOOD if entry.good else Standing.BAD if entry.bad else Standing.TRIAL
    return Verdict(standing, tries_left(entry, tries), entry.tries_done, entry.boots, entry.since, entry.why)


@dataclass(frozen=True, slots=True)
class Plausible:
    """An entry that might be next.

    `index` is its number in the menu. `default`: the configuration's own. `generation`: of NixOS. `why_not` says why
    it cannot boot (a file is missing, or it did not load just now), "" where it can. `hidden`: for those who know its
    name.
    """

    digest: str
    index: int
    default: bool = False
    generation: int | None = None
    why_not: str = ""
    label: str = ""
    hidden: bool = False

    @property
    def bootable(self) -> bool:
        """Whether nothing is known that speaks against it."""
        return not self.why_not


class Kind(Enum):
    """Why the entry is next."""

    DEFAULT = "default"
    TRIAL = "trial"
    REQUESTED = "requested"
    FALLBACK = "fallback"
    NOTHING_GOOD = "nothing-good"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Assessment:
    """The entry that boots by itself (`index`; None: none does), and a sentence for the menu; "": nothing to say.

    `once`: it is a request for one boot.
    """

    index: int | None
    reason: str
    kind: Kind
    once: bool = False

    @property
    def longer(self) -> bool:
        """Whether a person should get more time first."""
        return self.kind is Kind.NOTHING_GOOD


def assess(entries: Sequence[Plausible], record: Record, base: int | None, tries: int) -> Assessment:
    """Which of `entries` (of the configurations that `record` is for) boots next when nobody is there.

    `base` is the number of the one that the configuration itself would boot: its ONTIMEOUT or default, also where
    that cannot boot. In this order: what somebody asked for; `base`, unless it is bad or cannot boot; the newest good
    entry; where nothing is good, `base` after a longer wait, or what can boot in its place.
    With less than one of `tries` trials are off, and the record says nothing.
    """
    own = next((entry for entry in entries if entry.index == base), None)
    if tries < 1:
        index = own.index if own is not None and own.bootable else None
        return Assessment(index, "", Kind.NOTHING if index is None else Kind.DEFAULT)
    dropped = ""
    if record.request is not None:
        asked, dropped = _requested(entries, record, record.request, tries)
        if asked is not None:
            return asked
    if own is not None and own.bootable:
        how = verdict(record, own.digest, tries)
        if how.standing is Standing.GOOD:
            return Assessment(own.index, dropped, Kind.DEFAULT)
        if how.standing is not Standing.BAD:
            return Assessment(own.index, _sentences(dropped, _on_trial(own, how)), Kind.TRIAL)
        blame = f"{_name(own)} is {how.describe()}."
    elif own is not None:
        blame = f"{_name(own)} cannot boot: {_short(own.why_not)}."
    else:
        blame = "There is no default entry."
    good = newest_good(entries, record)
    if good is not None:
        reason = _sentences(dropped, blame, f"{_name(good)} boots instead: it is the newest good entry.")
        return Assessment(good.index, reason, Kind.FALLBACK)
    if own is not None and own.bootable:
        reason = _sentences(dropped, blame, "No entry is known to be good.")
        return Assessment(own.index, reason, Kind.NOTHING_GOOD)
    # Whatever has tries left before what is bad, each in file order.
    left = [entry for entry in entries if _may_stand_in(entry)]
    left.sort(key=lambda entry: verdict(record, entry.digest, tries).standing is Standing.BAD)
    if left:
        reason = _sentences(dropped, blame, f"No entry is known to be good; {_name(left[0])} is next.")
        return Assessment(left[0].index, reason, Kind.NOTHING_GOOD)
    reason = _sentences(dropped, blame, "No entry is left that could boot by itself." if entries else "")
    return Assessment(None, reason, Kind.NOTHING)


def newest_good(entries: Sequence[Plausible], record: Record, besides: Collection[str] = ()) -> Plausible | None:
    """The good entry that a machine falls back to: the highest generation of NixOS, else the first in file order.

    `besides` are digests that do not count. Hidden entries are no fallback, unless they are the default.
    """
    good = [
        entry
        for entry in entries
        if _may_stand_in(entry)
        and entry.digest not in besides
        and (known := record.find(entry.digest)) is not None
        and known.good
    ]
    return min(good, key=lambda entry: (-(entry.generation or 0), entry.index), default=None)


def _may_stand_in(entry: Plausible) -> bool:
    return entry.bootable and (entry.default or not entry.hidden)


def _requested(
    entries: Sequence[Plausible], record: Record, request: Request, tries: int
) -> tuple[Assessment | None, str]:
    """What the request makes next; or a sentence that says why it does not count any more."""
    by = f" by {_short(request.who)}" if request.who else ""
    # Several labels may boot the same: the default, then the first, and one that can boot before one that cannot.
    named = sorted(
        (entry for entry in entries if entry.digest == request.digest),
        key=lambda entry: (not entry.bootable, not entry.default),
    )
    if not named:
        return None, f"An entry that was asked for{by} is not there any more."
    entry = named[0]
    told = f"{_name(entry)} was asked for{by}"
    default = next((other for other in entries if other.default), None)
    if not request.once and request.instead_of != (default.digest if default is not None else ""):
        return None, f"{told}, but the configuration has another default since."
    if not entry.bootable:
        return None, f"{told}, but cannot boot: {_short(entry.why_not)}."
    how = verdict(record, entry.digest, tries)
    if request.once:
        return Assessment(entry.index, f"{told}, for one boot.", Kind.REQUESTED, once=True), ""
    if how.standing is Standing.BAD:
        return None, f"{told}, but is {how.describe()}."
    reason = f"{told}." if how.standing is Standing.GOOD else _sentences(f"{told}.", _on_trial(entry, how))
    return Assessment(entry.index, reason, Kind.REQUESTED), ""


def _on_trial(entry: Plausible, how: Verdict) -> str:
    if how.standing is Standing.NEW and how.trial is not None:
        return f"{_name(entry)} is new: trial {how.trial[0]} of {how.trial[1]}."
    return f"{_name(entry)} is on {how.describe()}."


def _name(entry: Plausible) -> str:
    return clip(printable(entry.label), _LABEL_CELLS) or f"entry {entry.index}"


def _short(text: str) -> str:
    return clip(printable(text), _WHY_CELLS)


def _sentences(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _date(since: int) -> str:
    """2026-11-23 10:00 UTC."""
    # Late: most looks at the menu have no date to show.
    from datetime import UTC, datetime

    return datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M UTC")
