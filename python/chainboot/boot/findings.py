"""What `chainboot check` says about entries and their files, beyond what reading the file has found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainboot.boot.candidate import Candidate
from chainboot.boot.volume import Configuration, PathError
from chainboot.errors import Diagnostic, Severity


def findings(configurations: Iterable[Configuration], among: Sequence[Candidate]) -> tuple[Diagnostic, ...]:
    """Every finding about the configurations and their entries, by place in the file."""
    found = [diagnostic for configuration in configurations for diagnostic in configuration.menu.diagnostics]
    for candidate in among:
        found += _about(candidate)
    for configuration in configurations:
        if not configuration.menu.entries:
            found.append(Diagnostic(Severity.ERROR, "no-entries", f"{configuration.path} has no boot entry"))
    if among and not any(candidate.bootable for candidate in among):
        found.append(Diagnostic(Severity.ERROR, "nothing-bootable", "no entry of this machine can be booted"))
    return tuple(sorted(found, key=_place))


def _about(candidate: Candidate) -> list[Diagnostic]:
    entry = candidate.entry
    if candidate.reasons:
        severity = Severity.ERROR if candidate.default or not entry.reasons else Severity.WARNING
        return [
            Diagnostic(severity, "unbootable", f"{entry.label} cannot be booted: {reason}", entry.position)
            for reason in candidate.reasons
        ]
    try:
        image = candidate.image()
    except PathError as error:
        message = f"{entry.label} cannot be booted: {error.message}"
        return [Diagnostic(Severity.ERROR, "unbootable", message, entry.position)]
    path = candidate.kernel.path if candidate.kernel else ""
    if image.problem:
        message = f"{entry.label} cannot be booted: {path}: {image.problem}"
        return [Diagnostic(Severity.ERROR, "not-a-kernel", message, entry.position)]
    length = len(candidate.cmdline.encode("utf-8", "surrogateescape"))
    if image.command_line_limit is not None and length > image.command_line_limit:
        message = f"the command line of {entry.label} has {length} bytes; its kernel takes {image.command_line_limit}"
        return [Diagnostic(Severity.ERROR, "command-line-too-long", message, entry.position)]
    return []


def _place(diagnostic: Diagnostic) -> tuple[str, int, int]:
    position = diagnostic.position
    return (position.file, position.line, position.column) if position else ("", 0, 0)
