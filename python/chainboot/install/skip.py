"""The way past us: the default entry of the volume's extlinux.conf, for a boot record of its own. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chainboot.boot.candidate import BootFile, Candidate, candidates, choose
from chainboot.boot.initrd import is_initrd, padding
from chainboot.boot.plan import Part
from chainboot.boot.source import configurations
from chainboot.boot.sysappend import read_system
from chainboot.boot.volume import PathError
from chainboot.errors import NotFoundError, reason
from chainboot.install.first_stage import zipl_problem
from chainboot.install.zipl_conf import parameters_problem


@dataclass(frozen=True, slots=True)
class Skip:
    """What `skip` boots. `initrd` are the parts of its initrd in order; sizes are in bytes."""

    label: str
    kernel: str
    kernel_size: int
    initrd: tuple[Part, ...]
    initrd_size: int
    parameters: str

    @property
    def joined(self) -> bool:
        """Whether the initrd must be written anew: zipl takes one file as it is."""
        return len(self.initrd) > 1 or any(part.skip for part in self.initrd)


def find_skip(directory: str, complain: Callable[[str], None]) -> Skip | str:
    """The default entry below `directory`, or a sentence on why it cannot be booted by zipl."""
    try:
        found = configurations(root=directory, complain=complain)
        candidate = choose(candidates(found, read_system()), None)
    except NotFoundError as error:
        return error.message
    problem = _problem(candidate)
    if problem is not None or candidate.kernel is None:
        return f"{candidate.entry.label}: {problem}"
    sizes = [file.size - file.skip for file in candidate.initrds]
    joined = len(sizes) > 1 or any(file.skip for file in candidate.initrds)
    return Skip(
        candidate.entry.label,
        candidate.kernel.host,
        candidate.kernel.size,
        tuple(Part(file.host, file.skip) for file in candidate.initrds),
        sum(size + len(padding(size)) for size in sizes) if joined else sum(sizes),
        candidate.cmdline,
    )


def _problem(candidate: Candidate) -> str | None:
    if candidate.reasons:
        return "; ".join(candidate.reasons)
    try:
        image = candidate.image()
    except PathError as error:
        return f"kernel: {error.message}"
    problem = zipl_problem(image)
    if problem:
        return f"kernel: {problem}"
    for file in candidate.initrds:
        problem = _initrd_problem(file)
        if problem:
            return f"initrd: {file.path}: {problem}"
    return parameters_problem(candidate.cmdline, image.command_line_limit)


def _initrd_problem(file: BootFile) -> str | None:
    """Why a part of an initrd is none; zipl would fail on an empty one, and with it the whole install."""
    try:
        with open(file.host, "rb") as opened:
            opened.seek(file.skip)
            head = opened.read(16)
    except OSError as error:
        return f"cannot be read: {reason(error)}"
    if not head:
        return "the file is empty"
    return None if is_initrd(head) else "it is no initrd (neither cpio nor compressed)"
