"""The console that an entry is given where its own command line names none (setting `add_console`). Pure.

Knows words of command lines and what the kernel calls its consoles; knows no devices and no terminals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chainboot.boot.candidate import Candidate
from chainboot.boot.cmdline import join, values

# Parameters that name a console (Documentation/admin-guide/kernel-parameters.rst); `conmode=` is s390's, where it says
# what kind of console there is at all.
_NAMING = ("console", "conmode")

_MOST = 8
_LONGEST = 64


def own_consoles(cmdline: str, active: str) -> str:
    """The words `console=...` that name the consoles of the kernel with this command line; "" where it has none.

    They are those of `cmdline` as they stand there, options and order with them; else the last one of `active`, which
    is /sys/class/tty/console/active: names, the preferred one last.
    """
    named = [name for name in values(cmdline, "console") if _is_name(name)]
    if not named:
        named = [name for name in active.split() if _is_name(name)][-1:]
    return " ".join(f"console={name}" for name in dict.fromkeys(named[:_MOST]))


def _is_name(name: str) -> bool:
    """Whether the kernel can take it. `null` is no console, and a tty in a directory (3270/tty1) has another name."""
    if name.partition(",")[0] == "null" or "/" in name or len(name) > _LONGEST:
        return False
    return name.isascii() and name.isprintable() and name[:1].isalpha() and not set(name) & set(' "')


def with_consoles(among: Iterable[Candidate], words: str) -> tuple[Candidate, ...]:
    """The same entries; those whose command line names no console boot with `words`."""
    return tuple(replace(each, consoles="" if _names_one(each.cmdline) else words) for each in among)


def with_words(candidate: Candidate, words: str) -> str:
    """The command line that its kernel gets when a person adds `words`; these may name a console."""
    longer = replace(candidate, cmdline=join(candidate.cmdline, words))
    return with_consoles([longer], candidate.consoles)[0].boot_cmdline


def _names_one(cmdline: str) -> bool:
    return any(values(cmdline, name) for name in _NAMING)


def added(candidate: Candidate, cmdline: str) -> str:
    """A sentence about what `cmdline`, with which the entry boots, was given; "" where that is nothing."""
    words = candidate.consoles
    if not words or values(cmdline, "console") != values(words, "console"):
        return ""
    return f"{words} {'were' if ' ' in words else 'was'} added: the entry names none (setting add_console)"
