"""A change to a configuration file: worked out, to be shown or written. Nothing is written before `write`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chainboot.boot.candidate import Candidate
from chainboot.boot.host import read_host
from chainboot.boot.preflight import objections
from chainboot.boot.volume import Configuration, PathError
from chainboot.boot.writing import SYSTEM, System, replace_file
from chainboot.errors import RefusedError
from chainboot.extlinux.difference import Line, unified
from chainboot.extlinux.edit import with_default
from chainboot.extlinux.format import canonical
from chainboot.extlinux.origin import Origin, origin
from chainboot.extlinux.parser import SIZE_LIMIT, parse


@dataclass(frozen=True, slots=True)
class Change:
    """The old and the new bytes of a file. `notes` are sentences that a person should hear before it is written."""

    configuration: Configuration
    before: bytes
    after: bytes
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where the file lies on this machine."""
        return _place(self.configuration)

    @property
    def needed(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after

    def difference(self) -> str:
        """The change as a unified diff for a person; "" where there is none."""
        return unified(self.place, self.before, self.lines, final_newline=self.after.endswith(b"\n"))

    def write(self, system: System = SYSTEM) -> None:
        """Replace the file, atomically; raises `RefusedError`."""
        replace_file(self.configuration.volume, self.configuration.path, self.before, self.after, system)


def canonical_change(configuration: Configuration) -> Change:
    """The change that gives the file of `configuration` its canonical form; raises `RefusedError`."""
    data = _read(configuration)
    form = canonical(data, _place(configuration))
    return Change(configuration, data, form.data, form.lines)


def default_change(among: Sequence[Candidate], candidate: Candidate, *, force: bool = False) -> Change:
    """The change that makes `candidate` the default of its configuration; raises `RefusedError`.

    `among` are all entries of the machine. Refused is an entry that cannot boot, and a file that another program
    writes, both but for `force`; and always a label that DEFAULT cannot name (see `with_default`).
    """
    configuration = candidate.configuration
    place = _place(configuration)
    against = _objections(candidate)
    if against and not force:
        raise RefusedError(
            f"{candidate.entry.label} was not made the default: {'; '.join(against)}",
            hint="--force makes it the default all the same",
            position=candidate.entry.position,
        )
    data = _read(configuration)
    number = sum(other.configuration is configuration and other.index < candidate.index for other in among)
    edit = with_default(data, configuration.path, number, candidate.entry.label, configuration.read_include)
    change = Change(configuration, data, edit.data, edit.lines)
    if not change.needed:
        return change
    notes = [f"it cannot be booted as it is: {reason}" for reason in against]
    writer, header = origin(parse(data, configuration.path))
    if writer is Origin.GENERATOR:
        if not force:
            raise RefusedError(
                f"{place} was not changed: another program writes it, and would undo the change ({header})",
                hint="change the default where that program is configured; --force changes the file all the same",
            )
        notes.append(f"another program writes {place} and may undo this ({header})")
    elif writer is Origin.NIXOS:
        notes.append("NixOS writes this file: the next nixos-rebuild sets the default anew")
    return replace(change, notes=(*_ambiguities(among, candidate), *notes))


def _ambiguities(among: Sequence[Candidate], candidate: Candidate) -> list[str]:
    label, place = candidate.entry.label, _place(candidate.configuration)
    notes: list[str] = []
    same = [other for other in among if other.entry.label == label and other is not candidate]
    if same:
        numbers = ", ".join(str(other.index) for other in same)
        notes.append(f"label {label} stands {len(same) + 1} times; entry {candidate.index} is meant, not {numbers}")
    current = next((other.configuration for other in among if other.default), None)
    if current is not None and current is not candidate.configuration:
        notes.append(f"this machine takes its default from {_place(current)}, not from {place}")
    return notes


def _objections(candidate: Candidate) -> tuple[str, ...]:
    """Why the entry could not be booted on the machine that its kernel is for: that need not be this one, nor now."""
    if candidate.reasons:
        return candidate.reasons
    try:
        machine = candidate.image().machine
    except PathError as error:
        return (f"kernel: {error.message}",)
    anywhere = replace(read_host(), machine=machine or "", memory_available=None, memory_total=None)
    return objections(candidate, candidate.cmdline, anywhere)


def _read(configuration: Configuration) -> bytes:
    return configuration.volume.read(configuration.path, SIZE_LIMIT + 1)


def _place(configuration: Configuration) -> str:
    return configuration.volume.root + configuration.path
