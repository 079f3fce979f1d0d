"""Programs of the image: each with its libraries and the other names it goes by.

Knows what may be missing; how a library is found is linkage.py's.
"""

from __future__ import annotations

from collections.abc import Iterable

from chainboot.image.linkage import Linker
from chainboot.image.spec import ExecutableSpec
from chainboot.image.sysroot import Sysroot
from chainboot.image.tree import ImageTree

PROGRAMS = "programs"


def add_programs(programs: Iterable[ExecutableSpec], sysroot: Sysroot, linker: Linker, tree: ImageTree) -> list[str]:
    """Put the programs into `tree`. Returns notes for a person: which optional ones the sysroot does not have.

    Raises a `ChainbootError` where another one is missing, or a library of any.
    """
    absent: list[str] = []
    for program in programs:
        if program.optional and not any(sysroot.is_file(path) for path in sysroot.glob(program.path)):
            absent.append(program.path)
            continue
        path = sysroot.the_file(program.path, program.place)
        placed = linker.add(path, program.target or path, 0o755, PROGRAMS, program.place)
        tree.add_links((link, placed, f"{program.place}.links") for link in program.links)
    return [f"optional programs that the sysroot does not have: {', '.join(absent)}"] if absent else []
