"""What a boot is, in words of a kernel command line: the first stage says it, the booted system reads it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from chainboot.boot.cmdline import join, values
from chainboot.trial.entry_id import is_entry_id

ENTRY = "chainboot.entry"
TRIAL = "chainboot.trial"
WATCHDOG = "chainboot.watchdog"

# Without it a kernel that finds a running watchdog feeds it by itself for as long as nobody else does, hung or not;
# with it only for these seconds (drivers/watchdog/watchdog_dev.c; seen with iTCO_wdt of Linux 6.1).
OPEN_TIMEOUT = "watchdog.open_timeout"

_MOST = 9  # digits of a number: int() takes its time over thousands


@dataclass(frozen=True, slots=True)
class Booted:
    """What the first stage said. `digest` is that of `entry_id`; `trial` is (k, n) for try k of n, None for an entry
    that was good before; `watchdog` the driver that was armed, and its seconds.
    """

    digest: str
    trial: tuple[int, int] | None = None
    watchdog: tuple[str, int] | None = None


def words(digest: str, trial: tuple[int, int] | None, cmdline: str, panic: int, watchdog: str) -> str:
    """The words to add to `cmdline`, which is the entry's own.

    A trial gets `panic=` (in seconds; 0: it does not), unless `cmdline` has one that restarts the machine too: a system
    that stands still cannot be given up. `watchdog` is DRIVER:SECONDS, or "" where none is left to the booted system;
    its kernel is told to feed it no longer than that, unless `cmdline` says how long.
    """
    said = [f"{ENTRY}={digest}"]
    if trial is not None:
        said.append(f"{TRIAL}={trial[0]}/{trial[1]}")
        if panic and not _restarts(cmdline):
            said.append(f"panic={panic}")
        if watchdog:
            said.append(f"{WATCHDOG}={watchdog}")
            if not values(cmdline, OPEN_TIMEOUT):
                said.append(f"{OPEN_TIMEOUT}={watchdog.rpartition(':')[2]}")
    return join(*said)


def _restarts(cmdline: str) -> bool:
    """Whether a panic restarts the machine by itself: 0 stands still, a negative number restarts at once.

    kernel/panic.c; the last `panic=` is the one that counts.
    """
    given = values(cmdline, "panic")
    return bool(given) and given[-1].strip("-").isdigit() and given[-1].strip("-0") != ""


def read_words(cmdline: str) -> Booted | None:
    """What a running kernel's command line says; None where this boot is not counted."""
    digest = (values(cmdline, ENTRY) or ("",))[-1]
    if not is_entry_id(digest):
        return None
    trial = _numbers((values(cmdline, TRIAL) or ("",))[-1].split("/"))
    driver, _, seconds = (values(cmdline, WATCHDOG) or ("",))[-1].rpartition(":")
    # It is given to modprobe, for which a word that begins with `-` is an option.
    known = driver[:1].isalnum() and driver.replace("_", "").replace("-", "").isalnum() and driver.isascii()
    waits = _numbers([seconds])
    return Booted(
        digest,
        (trial[0], trial[1]) if len(trial) == 2 else None,
        (driver, waits[0]) if known and waits else None,
    )


def _numbers(texts: list[str]) -> list[int]:
    """The numbers that `texts` are; none where one of them is not."""
    good = all(text.isascii() and text.isdigit() and len(text) <= _MOST for text in texts)
    return [int(text) for text in texts] if good else []
