"""What the machine is doing, as text for a person and as JSON for a program: the verb `status`. Pure.

The JSON is a public interface: docs/json.md describes every field, and a test holds both together.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.listing import Json
from chainboot.remote.reach import Reach
from chainboot.session.choice import Autoboot
from chainboot.session.events import Surroundings
from chainboot.session.log import Act
from chainboot.session.person import Person
from chainboot.session.presence import Attached
from chainboot.text import printable


@dataclass(frozen=True, slots=True)
class Status:
    """One look at everything. `memory` is total and available, in bytes; `boots` the label of the timer's entry."""

    person: Person
    now_ds: int
    surroundings: Surroundings
    decided: Autoboot
    boots: str | None
    entries: int
    attached: tuple[Attached, ...]
    holder: str
    reach: Reach
    memory: tuple[int | None, int | None]
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def countdown(self) -> str:
        """One of `running`, `held`, `not-begun`, `stopped`, `never`."""
        if self.boots is None or (self.decided.timeout_ds is None and self.decided.total_timeout_ds is None):
            return "never"
        if self.seconds_left is not None:
            return "running"
        if self.surroundings.others:
            return "held"
        return "not-begun" if self.surroundings.waiting else "stopped"

    @property
    def seconds_left(self) -> int | None:
        """Whole seconds until the timer boots, rounded up; None while it does not count."""
        end_ds = self.surroundings.end_ds
        return None if end_ds is None else max(0, -((self.now_ds - end_ds) // 10))


def status_json(status: Status) -> Json:
    """The object that `status --json` prints."""
    reach = status.reach
    return {
        "you": {"name": status.person.name, "role": status.person.role.value},
        "uptime_ds": status.now_ds,
        "entries": status.entries,
        "boots_by_itself": status.boots,
        "countdown": status.countdown,
        "seconds_left": status.seconds_left,
        "waiting_for": status.surroundings.waiting or None,
        "held_by": status.holder or None,
        "attached": [{"name": each.name, "remote": each.remote} for each in status.attached],
        "leaving": status.surroundings.leaving or None,
        "addresses": list(reach.addresses),
        "ssh": {
            "state": reach.state,
            "port": reach.port,
            "listening": reach.listening,
            "host_key": reach.fingerprint or None,
        },
        "memory_total": status.memory[0],
        "memory_available": status.memory[1],
        "remarks": list(status.remarks),
        "problems": list(status.problems),
    }


def status_text(status: Status) -> str:
    """The same, a line for each fact."""
    told = {
        "running": f"boots {status.boots} in {status.seconds_left} s",
        "held": f"held: {status.boots} does not boot by itself",
        "not-begun": f"not begun, because {status.surroundings.waiting}",
        "stopped": f"stopped; {status.boots} is next",
        "never": "nothing boots by itself",
    }
    facts: list[tuple[str, str]] = [("you", f"{status.person.name}; this key may {status.person.role.may}")]
    facts += [("leaving", status.surroundings.leaving)] if status.surroundings.leaving else []
    facts += [("countdown", told[status.countdown]), ("entries", str(status.entries))]
    facts += [("attached", each.name) for each in status.attached]
    facts += [("held by", status.holder)] if status.holder else []
    facts += [("network", fact) for fact in status.reach.facts()]
    total, available = status.memory
    if total is not None and available is not None:
        facts.append(("memory", f"{(total - available) >> 20} MiB used of {total >> 20} MiB"))
    facts.append(("up", f"{status.now_ds // 10} s"))
    facts += [("note", remark) for remark in status.remarks]
    facts += [("problem", problem) for problem in status.problems]
    return "".join(f"{name + ':':12} {printable(value)}\n" for name, value in facts)


def log_json(acts: tuple[Act, ...]) -> Json:
    """The object that `log --json` prints."""
    return {"acts": [{"time": act.time, "uptime_ds": act.uptime_ds, "who": act.who, "what": act.what} for act in acts]}


def log_text(acts: tuple[Act, ...]) -> str:
    """The same, a line for each act."""
    return "".join(
        f"{act.time} [{act.uptime_ds / 10:8.1f}] {printable(act.who)}: {printable(act.what)}\n" for act in acts
    )
