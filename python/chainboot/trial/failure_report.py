"""What `log ENTRY` says: what is known of an entry that was tried, as text and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from chainboot.text import printable

# Lines of each part, and characters of a line.
_LINES = 400
_LONGEST = 1000


def report(label: str, verdict: str, evidence: Sequence[str], kept: Sequence[str], log: Sequence[str]) -> str:
    """The whole answer. `verdict` is one sentence; `evidence` is what was found now, `kept` what is on the volume.

    `log` is the end of the first stage's own log. What is kept is left out where the same was found now.
    """
    lines = [f"{_clean(label)}: {_clean(verdict)}"]
    for title, part in (
        ("What is known of the last try:", evidence),
        ("What was kept of an earlier look:", () if _same(evidence, kept) else kept),
        ("What the first stage did before:", log),
    ):
        if part:
            lines += ["", title, *(f"  {line}".rstrip() for line in _lines(part))]
    if not evidence and not kept:
        lines += ["", "Nothing is known of a failed try of this entry."]
    return "\n".join(lines)


def report_json(
    label: str, verdict: str, evidence: Sequence[str], kept: Sequence[str], log: Sequence[str]
) -> dict[str, str | list[str]]:
    """The same for a program."""
    return {
        "label": _clean(label),
        "verdict": _clean(verdict),
        "evidence": _lines(evidence),
        "kept": _lines(kept),
        "log": _lines(log),
    }


def _same(evidence: Sequence[str], kept: Sequence[str]) -> bool:
    """Whether everything that was found now is in what was kept."""
    return bool(evidence) and set(_lines(evidence)) <= set(_lines(kept))


def _lines(part: Sequence[str]) -> list[str]:
    return [_clean(line) for line in part[:_LINES]]


def _clean(line: str) -> str:
    return printable(line[:_LONGEST])
