"""What the options of a verb name on a running system: configurations, their entries, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chainboot.streams import talk
from chainboot.text import printable

if TYPE_CHECKING:
    import argparse

    from chainboot.boot.candidate import Candidate
    from chainboot.boot.volume import Configuration


def find(
    options: argparse.Namespace, hear: Callable[[str], None] = lambda _problem: None
) -> tuple[tuple[Configuration, ...], tuple[Candidate, ...]]:
    """The configurations that the options name, and their entries. Raises `NotFoundError` where there is none.

    `hear` is told too what is wrong with a source that was left out.
    """
    from chainboot.boot.candidate import candidates
    from chainboot.boot.source import configurations
    from chainboot.boot.sysappend import read_system

    def tell(problem: str) -> None:
        complain(problem)
        hear(problem)

    found = configurations(path=getattr(options, "path", None), root=options.root, config=options.config, complain=tell)
    return found, candidates(found, read_system())


_SHOWN_FINDINGS = 20


def complain(problem: str) -> None:
    """Say what is wrong with one source; the others go on."""
    talk(f"chainboot: {printable(problem)}")


def report(configurations: Sequence[Configuration]) -> None:
    """Say what was found while they were read, the first of it."""
    for configuration in configurations:
        found = configuration.menu.diagnostics
        for diagnostic in found[:_SHOWN_FINDINGS]:
            talk(diagnostic.format(root_of(configuration)))
        if len(found) > _SHOWN_FINDINGS:
            talk(f"chainboot: and {len(found) - _SHOWN_FINDINGS} findings more; `chainboot check` lists them")


def root_of(configuration: Configuration) -> str:
    """What stands before a path of the volume so that an editor finds it: the directory as it was given."""
    volume = configuration.volume
    return "" if volume.mounted else volume.name.rstrip("/")
