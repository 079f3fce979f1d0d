"""What makes a panic of the booted system end in a boot: a rule for systemd-tmpfiles.

On s390x a panic stops the machine, whatever `panic=` says, until the firmware's panic action is set, and every fresh
kernel has `stop` again (Linux arch/s390/kernel/ipl.c). The first stage sets it for itself; a booted system has to do
it, early. Source of the form: tmpfiles.d(5).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

DIRECTORY = "/etc/tmpfiles.d"
NAME = "chainboot.conf"

RULE = "w- /sys/firmware/shutdown_actions/on_panic - - - - reipl"

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


def find_panic_rule(directory: str = DIRECTORY) -> PanicRule:
    """What this system needs. A file of that name that says something else is somebody's wish."""
    path = f"{directory}/{NAME}"
    if os.path.lexists(path):
        return PanicRule()
    if os.path.isdir(directory) and os.access(directory, os.W_OK):
        return PanicRule(path)
    return PanicRule(
        note=f"a panic of the booted system leaves this machine standing: {directory} cannot be written, so add the "
        f"rule yourself (NixOS: systemd.tmpfiles.rules): {RULE}"
    )
