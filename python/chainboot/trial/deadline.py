"""The timer that gives a trial up: how long it still waits, stopping it, and restarting the machine.

Knows systemctl and the names of our units (../../systemd); knows nothing of entries.
"""

from __future__ import annotations

from math import ceil

from chainboot.errors import ChainbootError
from chainboot.process import Runner

TIMER = "chainboot-deadline.timer"
LOGIN = "chainboot-login.path"

# What somebody does who wants to look further.
STAY = f"`systemctl stop {TIMER}` lets this system run on"

_SHORT_S = 10.0
_RESTART_S = 60.0

# systemd.time(7), "Parsing time spans", as format_timespan() writes them, in microseconds.
_UNITS = {
    "us": 1,
    "\u03bcs": 1,
    "ms": 1000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 7 * 86_400_000_000,
    "month": 2_629_800_000_000,
    "y": 31_557_600_000_000,
}


def microseconds(span: str) -> int | None:
    """A time span as systemd writes it ("9min 58.250s"); None where it is none, such as "infinity" or ""."""
    total = 0.0
    parts = span.split()
    for part in parts:
        number = part.rstrip("abcdefghijklmnopqrstuvwxyz\u03bc")
        unit = _UNITS.get(part[len(number) :])
        try:
            if unit is None or len(number) > _DIGITS or not number.replace(".", "").isdecimal():
                return None
            total += float(number) * unit
        except ValueError:
            return None
    return round(total) if parts and total < _LATEST else None


_DIGITS = 20
_LATEST = float(1 << 63)


def seconds_left(run: Runner, now: float) -> int | None:
    """Whole seconds, rounded up, until the deadline; None where no timer runs or systemd does not say.

    `now` is CLOCK_MONOTONIC, in seconds.
    """
    ask = ["systemctl", "show", TIMER, "--property=ActiveState", "--property=NextElapseUSecMonotonic"]
    try:
        told = run(ask, check=True, timeout=_SHORT_S).stdout
    except ChainbootError:
        return None
    values = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    if values.get("ActiveState") != "active":
        return None
    elapses = microseconds(values.get("NextElapseUSecMonotonic", ""))
    # A timer whose time has come says 0 or nothing: what it starts is running.
    return None if not elapses else max(0, ceil(elapses / 1e6 - now))


def stop(run: Runner) -> None:
    """The entry has proved itself: nothing waits for that any more. What is not there need not be stopped."""
    for unit in (TIMER, LOGIN):
        try:
            run(["systemctl", "--no-block", "stop", unit], check=False, timeout=_SHORT_S)
        except ChainbootError:  # no systemd here; the service looks at the runtime directory as well
            return


def failed_units(run: Runner, most: int = 3) -> tuple[str, ...]:
    """Names of the units that failed, at most so many."""
    try:
        told = run(
            ["systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager"], check=True, timeout=5
        )
    except ChainbootError:
        return ()
    names = [line.split()[0] for line in told.stdout.splitlines() if line.split()]
    return tuple(name for name in names if name != "chainboot-deadline.service")[:most]


def restart(run: Runner) -> None:
    """Restart the machine: in order, else without stopping services, else at once. Raises the last `ChainbootError`."""
    # -i: no inhibitor keeps a system up that has not proved itself.
    ways = (("systemctl", "reboot", "-i"), ("systemctl", "reboot", "--force"), ("reboot", "-f"))
    for way in ways[:-1]:
        try:
            run(way, check=True, timeout=_RESTART_S)
        except ChainbootError:
            continue
        return
    run(ways[-1], check=True, timeout=_RESTART_S)
