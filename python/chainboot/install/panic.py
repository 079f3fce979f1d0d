"""What makes a panic of the booted system end in a boot: a rule for systemd-tmpfiles.

On s390x a panic stops the machine, whatever `panic=` says, until the firmware's panic action is set, and every fresh
kernel has `stop` again (Linux arch/s390/kernel/ipl.c). The first stage sets it for itself; a booted system has to do
it, early. Source of the form: tmpfiles.d(5).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

# Where systemd-tmpfiles looks, the administrator's own first.
DIRECTORIES = ("/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/lib/tmpfiles.d")
NAME = "chainboot.conf"

ON_PANIC = "/sys/firmware/shutdown_actions/on_panic"
RULE = f"w- {ON_PANIC} - - - - reipl"

STORE = "/nix/store"
_LIMIT = 1 << 20

# python/tmpfiles.d/chainboot.conf is the same, for packages.
TEXT = f"""\
# A panic of the booted system ends in a re-IPL, which brings the first stage back, and not in a machine that stands
# still: on s390x that happens whatever panic= says, until this file says otherwise (Linux arch/s390/kernel/ipl.c).
# Machines without the file are left alone. What writes to it later, such as dumpconf of s390-tools, wins.
{RULE}
"""


@dataclass(frozen=True, slots=True)
class PanicRule:
    """Where the rule is to be written, or "" and a sentence for the administrator; both empty where it is there."""

    path: str = ""
    note: str = ""


def find_panic_rule(directories: Sequence[str] = DIRECTORIES, store: str = STORE) -> PanicRule:
    """What this system needs; the rule goes into the first of `directories`.

    A file of our name, or a rule about the panic action in any *.conf of `directories`, is somebody's wish.
    What lies below `store` is not written.
    """
    directory = directories[0]
    path = f"{directory}/{NAME}"
    if os.path.lexists(path) or any(_names_it(each) for each in directories):
        return PanicRule()
    # NixOS makes it anew at each rebuild, and its store is not to be written even where that is possible.
    owned = f"{os.path.realpath(directory)}/".startswith(f"{store}/")
    if os.path.isdir(directory) and os.access(directory, os.W_OK) and not owned:
        return PanicRule(path)
    return PanicRule(
        note=f"a panic of the booted system leaves this machine standing: {directory} cannot be written, so add the "
        f"rule yourself (NixOS: systemd.tmpfiles.rules): {RULE}"
    )


def _names_it(directory: str) -> bool:
    """Whether a rule in `directory` is about the panic action; what cannot be read says nothing."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".conf"))
    except OSError:
        return False
    return any(ON_PANIC in line.split() for name in names for line in _rules(f"{directory}/{name}"))


def _rules(path: str) -> list[str]:
    try:
        # O_NONBLOCK: a FIFO must not hang.
        with open(
            os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), encoding="utf-8", errors="replace"
        ) as file:
            return [line for line in file.read(_LIMIT).splitlines() if not line.lstrip().startswith("#")]
    except OSError:
        return []
