"""The configuration file that zipl reads, and what zipl takes. Pure.

Source: s390-tools, zipl/src/scan.c (what a line may be), job.c (`get_parmline`, `extract_address`) and boot.h.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.errors import RefusedError
from chainboot.text import printable

MENU = "chainboot"
TIMEOUT_S = 5

# MAXIMUM_PARMLINE_SIZE (0x380) of zipl up to 2.2x, less a final NUL. Newer ones go by the kernel image alone.
PARAMETERS_LIMIT = 895


@dataclass(frozen=True, slots=True)
class Section:
    """One boot entry: its number in the menu, which LOADPARM names, and the paths of its files.

    `ramdisk` and `parmfile` are "" where there is none. The parameters are in a file, and so need no quoting.
    """

    number: int
    name: str
    image: str
    ramdisk: str
    parmfile: str


def zipl_conf(target: str, sections: tuple[Section, ...]) -> str:
    """The text for a menu of `sections` whose bootmap lies in the directory `target`. The first section is the default.

    Raises `RefusedError` for a path that zipl cannot read.
    """
    lines = [
        "# Written by `chainboot install`: the next install writes another one.",
        "[defaultboot]", f"defaultmenu={MENU}", "",
        f":{MENU}", f"target={_quoted(target)}",
        *(f"{section.number}={section.name}" for section in sections),
        f"default={sections[0].number}", "prompt=1", f"timeout={TIMEOUT_S}",
    ]  # fmt: skip
    for section in sections:
        lines += ["", f"[{section.name}]", f"target={_quoted(target)}"]
        files = (("image", section.image), ("ramdisk", section.ramdisk), ("parmfile", section.parmfile))
        lines += [f"{keyword}={_quoted(path)}" for keyword, path in files if path]
    return "".join(f"{line}\n" for line in lines)


def _quoted(path: str) -> str:
    check_path(path)
    return f'"{path}"'


def check_path(path: str) -> None:
    """Raises `RefusedError` where zipl would not read `path` as it is.

    Quotes end at the next quote, there is no escape, and what follows a comma may be taken for an address in memory.
    """
    wrong = next((char for char in path if char in "\"'," or (not char.isprintable() and not _is_byte(char))), None)
    if wrong is not None:
        raise RefusedError(
            f"zipl cannot use {path}: the name holds {wrong if wrong.isprintable() else 'a control character'}",
            hint="mount the boot volume at another place",
        )


def _is_byte(char: str) -> bool:
    """Whether `char` stands for a byte that is no UTF-8 (surrogateescape): zipl does not care."""
    return "\udc80" <= char <= "\udcff"


def parameters_problem(parameters: str, limit: int | None) -> str | None:
    """Why these kernel parameters cannot be installed, or None. `limit` is the kernel's own, in bytes without NUL."""
    length = len(parameters.encode("utf-8", "surrogateescape"))
    most = PARAMETERS_LIMIT if limit is None else min(limit, PARAMETERS_LIMIT)
    if length <= most:
        return None
    whose = "zipl" if most == PARAMETERS_LIMIT else "this kernel"
    return f"the parameters have {length} bytes, and {whose} takes {most}: {printable(parameters[:40])}..."
