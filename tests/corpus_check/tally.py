"""What was compared, and how it came out: counted by field, with the reason wherever two readers disagree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A disagreement for which no rule of ours is the reason: it fails the run."""

    file: str
    field: str
    ours: str
    theirs: str


@dataclass(slots=True)
class Tally:
    """The counts of one reader's comparison. `reasons` counts the explained differences by field and reason."""

    name: str
    compared: Counter[str] = field(default_factory=Counter)
    equal: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    unexplained: list[Unexplained] = field(default_factory=list)

    def same(self, name: str) -> None:
        """Both say the same about field `name`."""
        self.compared[name] += 1
        self.equal[name] += 1

    def explained(self, name: str, *reasons: str) -> None:
        """They differ, and a rule of ours (or a quirk of theirs) is the reason."""
        self.compared[name] += 1
        self.reasons[name, " + ".join(reasons)] += 1

    def differs(self, file: str, name: str, ours: str, theirs: str) -> None:
        """They differ, and nobody knows why."""
        self.compared[name] += 1
        self.unexplained.append(Unexplained(file, name, ours, theirs))

    def table(self) -> str:
        """The counts as text: a line for each field, below it a line for each reason."""
        lines = [f"{self.name}", f"  {'field':24}{'compared':>9}{'equal':>9}{'explained':>11}{'unexplained':>13}"]
        bad = Counter(each.field for each in self.unexplained)
        for name, compared in self.compared.items():
            because = sum(count for (about, _), count in self.reasons.items() if about == name)
            lines.append(f"  {name:24}{compared:9}{self.equal[name]:9}{because:11}{bad[name]:13}")
            lines += [
                f"      {count:5} x {reason}"
                for (about, reason), count in sorted(self.reasons.items(), key=lambda each: -each[1])
                if about == name
            ]
        total = sum(self.compared.values()), sum(self.equal.values()), sum(self.reasons.values())
        lines.append(f"  {'total':24}{total[0]:9}{total[1]:9}{total[2]:11}{len(self.unexplained):13}")
        lines += [
            f"  UNEXPLAINED {each.file}: {each.field}: ours {each.ours!r}, theirs {each.theirs!r}"
            for each in self.unexplained
        ]
        return "\n".join(lines) + "\n"
