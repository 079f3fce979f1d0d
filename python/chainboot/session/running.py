"""Which entry the running system was started from, as text and as JSON: the verb `status` of a running system.

docs/login-shell.md and docs/json.md describe the JSON.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from chainboot.boot.candidate import Candidate
from chainboot.boot.cmdline import split
from chainboot.boot.volume import PathError
from chainboot.listing import Json
from chainboot.session.person import Person
from chainboot.session.trial_status import TrialStatus, trial_json, trial_lines
from chainboot.text import printable


@dataclass(frozen=True, slots=True)
class Running:
    """`cmdline` and `release` are those of the running kernel; `problems` are sentences about what it can boot.

    `trial` is this boot as its record counts it; None where nobody has looked.
    """

    person: Person
    among: Sequence[Candidate]
    cmdline: str
    release: str
    problems: Sequence[str] = ()
    trial: TrialStatus | None = None

    @property
    def default(self) -> Candidate | None:
        """The entry that the configuration boots."""
        return next((candidate for candidate in self.among if candidate.default), None)

    @property
    def runs(self) -> tuple[Candidate, ...]:
        """The entries that this system may have been started from: often the default, and the same by its own name.

        Those whose command line the kernel has, whatever a loader put around it; of several the ones with a kernel of
        its release, if there are any. Where the first stage has said which entry it booted, that is known.
        """
        if self.trial is not None and self.trial.runs:
            return self.trial.runs
        words = set(split(self.cmdline))
        # An entry without a command line would be contained in every one.
        fit = [each for each in self.among if each.cmdline.strip() and set(split(each.cmdline)) <= words]
        most = max((len(split(each.cmdline)) for each in fit), default=0)
        fit = [each for each in fit if len(split(each.cmdline)) == most]
        exact = [each for each in fit if _release(each) == self.release] if len(fit) > 1 else []
        return tuple(exact or fit)


def read_running(proc: str = "/proc/cmdline") -> tuple[str, str]:
    """The command line and the release of the running kernel; "" where it does not say."""
    try:
        with open(proc, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().strip(), os.uname().release
    except OSError:
        return "", os.uname().release


def running_json(running: Running) -> Json:
    """The object that `status --json` prints."""
    default = running.default
    return {
        "you": {"name": running.person.name, "role": running.person.role.value},
        "release": running.release,
        "runs": [candidate.entry.label for candidate in running.runs],
        "default": default.entry.label if default else None,
        "entries": len(running.among),
        "problems": list(running.problems),
        "trial": trial_json(running.trial) if running.trial else None,
    }


def running_text(running: Running) -> str:
    """What `status` prints for a person; every line ends in a line feed."""
    default = running.default
    problems = (*running.problems, *(running.trial.problems if running.trial else ()))
    runs = ", ".join(f"{each.index} {each.entry.label}" for each in running.runs)
    lines = [
        f"you       {running.person.name}, role {running.person.role.value}",
        f"runs      Linux {running.release}, from {runs or 'no entry that is still there'}",
        f"default   {f'{default.index} {default.entry.label}' if default else 'none'}",
        f"entries   {len(running.among)}",
        *(trial_lines(running.trial) if running.trial else ()),
        *(f"problem   {problem}" for problem in problems),
    ]
    return "".join(f"{printable(line)}\n" for line in lines)


def _release(candidate: Candidate) -> str | None:
    try:
        version = candidate.image().version
    except PathError:
        return None
    return version.split()[0] if version and version.split() else None
