"""This boot as its record counts it: what was booted as what, how long is left, and what boots next, as text and JSON.

Part of the verb `status` on a running system; docs/json.md describes the JSON. Changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chainboot.boot.candidate import Candidate
from chainboot.boot.volume import Configuration
from chainboot.listing import Json, verdict_json
from chainboot.process import Runner
from chainboot.session.trials import Trials, place_of
from chainboot.settings import RUNTIME, Settings
from chainboot.text import counted
from chainboot.trial import deadline, store
from chainboot.trial.assessment import Assessment, Verdict
from chainboot.trial.entry_id import entry_id
from chainboot.trial.proof import NOT_COUNTED, Life, State, find_home, home_of
from chainboot.trial.words import Booted


@dataclass(frozen=True, slots=True)
class TrialStatus:
    """`booted` is None where this boot is not counted, and then so is `state`. `runs` are the entries that it is.

    `seconds_left`: until the machine restarts, None where it does not. `record` is the file's place on this machine,
    "" where no configuration was found; `missing`: it is not there. `standing` has an entry and what is known of it;
    `next` is the entry that boots next when nobody is there, and why.
    """

    booted: Booted | None
    state: State | None = None
    runs: tuple[Candidate, ...] = ()
    seconds_left: int | None = None
    record: str = ""
    missing: bool = False
    standing: tuple[tuple[Candidate, Verdict], ...] = ()
    next: Candidate | None = None
    why: str = ""
    once: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """What is needed to look: the kernel's command line as `booted`, systemd by `run`, CLOCK_MONOTONIC by `uptime`."""

    booted: Booted | None
    run: Runner
    runtime: str = RUNTIME
    uptime: Callable[[], float] = field(default=time.monotonic)


def read_status(
    look: Look, configurations: Sequence[Configuration], among: Sequence[Candidate], problem: str = ""
) -> TrialStatus:
    """How this boot stands. What cannot be read is a sentence.

    Where there is no configuration, `problem` says why: then only what the boot itself says is known.
    """
    booted = look.booted
    state = Life(booted, look.runtime).state if booted is not None else None
    left = deadline.seconds_left(look.run, look.uptime()) if state is State.WAITS else None
    if not configurations:
        stay = (f"it cannot be blessed as long as that is so; {deadline.STAY}",) if left is not None else ()
        return TrialStatus(booted, state, seconds_left=left, problems=(problem, *stay) if problem else stay)
    home = find_home(configurations, among, booted.digest) if booted is not None else home_of(configurations[0], among)
    trials = read_trials(configurations)
    verdicts = ((each, trials.verdict(each)) for each in home.among)
    # What was asked for in another configuration counts as well, where the first stage lets it.
    assessed: Assessment | None = trials.assess(
        configurations, among, home.own_default, lambda each: "; ".join(each.reasons)
    )
    index = assessed.index if assessed is not None else home.own_default.index if home.own_default else None
    reading = trials.readings[place_of(home.configuration)]
    return TrialStatus(
        booted,
        state,
        home.named(booted.digest) if booted is not None else (),
        left,
        home.root + home.path,
        reading.missing,
        tuple((each, known) for each, known in verdicts if known is not None),
        next((each for each in among if each.index == index), None),
        assessed.reason if assessed is not None else "",
        assessed.once if assessed is not None else False,
        tuple(dict.fromkeys(each for one in trials.readings.values() for each in one.problems)),
    )


def read_trials(configurations: Sequence[Configuration]) -> Trials:
    """What the records of these configurations say of entries, with the first stage's usual number of tries."""
    places = {place_of(each): each.volume for each in configurations}
    return Trials(Settings().tries, readings={place: store.read(volume, place[1]) for place, volume in places.items()})


def read_standing(configurations: Sequence[Configuration], among: Sequence[Candidate]) -> dict[int, Verdict]:
    """What is known of entries, by their numbers; without those for which trials are off."""
    trials = read_trials(configurations)
    verdicts = ((each.index, trials.verdict(each)) for each in among)
    return {index: known for index, known in verdicts if known is not None}


def trial_json(status: TrialStatus) -> Json:
    """The object `trial` of `status --json`."""
    booted = status.booted
    following = status.next
    return {
        "entry": booted.digest if booted else None,
        "labels": [each.entry.label for each in status.runs],
        "state": status.state.value if status.state else None,
        "try": booted.trial[0] if booted and booted.trial else None,
        "tries": booted.trial[1] if booted and booted.trial else None,
        "seconds_left": status.seconds_left,
        "watchdog": {"driver": booted.watchdog[0], "seconds": booted.watchdog[1]}
        if booted and booted.watchdog
        else None,
        "record": None if status.missing else status.record or None,
        "next": {
            "index": following.index,
            "label": following.entry.label,
            "why": status.why or None,
            "once": status.once,
        }
        if following
        else None,
        "entries": [
            {
                "index": each.index,
                "label": each.entry.label,
                "id": entry_id(each.entry),
                "trials": verdict_json(known),
            }
            for each, known in status.standing
        ],
        "problems": list(status.problems),
    }


def trial_lines(status: TrialStatus) -> list[str]:
    """What `status` says of it to a person, in lines; the caller makes them harmless."""
    booted = NOT_COUNTED if status.booted is None else f"{status.booted.digest}, {_as_what(status)}"
    lines = [f"booted    {booted}"]
    if status.booted is not None and status.booted.watchdog is not None:
        driver, seconds = status.booted.watchdog
        lines.append(f"watchdog  {driver}, armed by the first stage for {counted(seconds, 'second')}")
    if not status.record:
        return lines
    following = f"{status.next.index} {status.next.entry.label}" if status.next else "nothing by itself"
    lines.append(f"next      {following}{f': {status.why}' if status.why else ''}")
    missing = ", which is not there: nothing is counted before the first blessing" if status.missing else ""
    lines.append(f"record    {status.record}{missing}")
    lines += [f"entry     {each.index} {each.entry.label}: {known.describe()}" for each, known in status.standing]
    return lines


def _as_what(status: TrialStatus) -> str:
    trial = status.booted.trial if status.booted is not None else None
    what = "a good entry" if trial is None else "trial {} of {}".format(*trial)
    match status.state:
        case State.BLESSED:
            return f"{what}; it has proved itself"
        case State.EXPIRED:
            return f"{what}; given up: it is not blessed any more"
        case State.WAITS:
            left = status.seconds_left
            until = (
                "no deadline is set" if left is None else f"{counted(left, 'second')} left until the machine restarts"
            )
            return f"{what}; it has not proved itself yet, {until}"
        case _:
            return what
