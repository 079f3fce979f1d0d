"""A file of settings, before it is in an image: what the first stage would say of it.

Knows files and findings; what a setting is, and whether a value makes sense, is chainboot.settings'.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from chainboot.errors import ChainbootError, Diagnostic, Severity, SourcePosition
from chainboot.image.small_file import read_small
from chainboot.settings import KEYS, Mistake, examine_settings

# What the first stage reads of its own file (session/first_stage.py).
_LARGEST = 1 << 16
# As for the keywords of a configuration: one slip in a short name, two in a long one.
_SIMILARITY = 0.75


def read_settings_file(file: Path) -> tuple[str, tuple[Diagnostic, ...]]:
    """The text of a file of `NAME=VALUE` lines, and an error for each setting that the first stage would ignore.

    A finding's position is named after `file`. Raises a `ChainbootError` where the file cannot be read.
    """
    text = read_small(file, _LARGEST, "settings").decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    mistakes = examine_settings(text, ())[1]
    return text, tuple(_finding(mistake, str(file), lines[mistake.line - 1]) for mistake in mistakes)


def sound_settings(file: Path) -> str:
    """The text of a file of settings; raises a `ChainbootError` with the place of every mistake in it."""
    text, findings = read_settings_file(file)
    if findings:
        raise ChainbootError(
            "; ".join(f"{finding.position}: {finding.message}" for finding in findings),
            hint=f"`chainboot check-settings {file}` shows the lines",
        )
    return text


def _finding(mistake: Mistake, file: str, line: str) -> Diagnostic:
    key = next((key for key in KEYS if key.name == mistake.name), None)
    if key is None:
        code, hint = "unknown-setting", _meant(mistake.name)
    elif key.value == "devices":
        code, hint = "bad-device", f"{key.name}: {key.help}"
    else:
        code, hint = "bad-setting", f"{key.name}: {key.help}"
    return Diagnostic(
        severity=Severity.ERROR,
        code=code,
        message=mistake.sentence,
        position=SourcePosition(file, mistake.line, mistake.column),
        source_line=line.rstrip("\r"),
        hint=hint,
    )


def _meant(name: str) -> str:
    names = [key.name for key in KEYS]
    close = difflib.get_close_matches(name, names, 1, _SIMILARITY)
    return f"did you mean {close[0]}?" if close else f"the settings are {', '.join(names)}"
