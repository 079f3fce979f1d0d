"""The machine's watchdog: found and armed in the first stage, stopped by the system that it was left to.

Knows the kernel's classes and ioctls of watchdogs (Documentation/watchdog/watchdog-api.rst, ABI/testing/
sysfs-class-watchdog) and which drivers a kexec leaves alone. Knows nothing of entries. No function here raises: a
watchdog is a help, and what it cannot do is a sentence.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass

from chainboot.errors import ChainbootError, reason
from chainboot.process import Runner
from chainboot.text import printable
from chainboot.trial.watchdog_device import MAGIC_CLOSE, Device, Opener, open_device

SYS = "/sys"
DEV = "/dev"

# Said where `find` finds nothing.
NONE = "this machine has no watchdog: a system that hangs stays until somebody resets it"

# Nothing asks for these drivers by a modalias. The second one is a timer of the kernel that runs, and the last resort.
_NAMELESS = ("diag288_wdt",)
_SOFTWARE = "softdog"

# What the jump stops, whatever the kernel is told: a timer of the dying kernel; and on s390x the reset by which one
# kernel gives way to the next (diagnose 0x308) is one of the machine's, its watchdog with it (seen in QEMU).
_ENDS_AT_THE_JUMP = (_SOFTWARE, "diag288_wdt")

# Watchdogs that say nowhere which driver they have (Linux 6.1), by what they call themselves.
_DRIVERS = {"i6300ESB timer": "i6300esb", "Software Watchdog": _SOFTWARE, "z Watchdog": "diag288_wdt"}

# What those take at most that do not tell sysfs, in seconds (drivers/watchdog/iTCO_wdt.c: 614 and no more;
# i6300esb.c; older kernels have no such file).
_MOST = {"iTCO_wdt": 613, "i6300esb": 2046}

# A time that no system starts in would reset a healthy one again and again. Seconds; somebody may still want less.
_LEAST = 60
# The remaining time is said in whole seconds, cut off, a moment later.
_ROUNDING = 2

_LOAD_S = 10.0
_LONGEST_NAME = 32

# WDIOF_CARDRESET of linux/watchdog.h, which is a bit of the file bootstatus.
_RESET_BY_IT = 0x20


@dataclass(frozen=True, slots=True)
class Watchdog:
    """A watchdog of this machine: the name of its kernel module, its device, and how long it waits at most in seconds
    (0: not said).

    `outlives`: it goes on when another kernel takes over. `stopped`: it could, but this kernel ends it on its way out.
    """

    driver: str
    device: str = ""
    outlives: bool = True
    most: int = 0
    stopped: bool = False

    @property
    def hardware(self) -> bool:
        """Whether it needs no kernel to reset the machine."""
        return self.driver != _SOFTWARE

    def clamp(self, seconds: int) -> int:
        """The time nearest to `seconds` that it takes, as far as it says."""
        return min(seconds, self.most) if self.most else seconds

    def word(self, seconds: int) -> str:
        """DRIVER:SECONDS for the system that it may be left to; "" where it ends with this kernel in any case."""
        return f"{self.driver}:{seconds}" if self.outlives or self.stopped else ""

    def describe(self, seconds: int) -> str:
        """A sentence about what it does once it is armed."""
        resets = f"the watchdog {self.driver} resets the machine after {seconds} s without a sign of life"
        if self.outlives:
            return resets
        if not self.hardware:
            return f"{resets}, but only until the jump: no hardware watchdog was found"
        if self.stopped:
            return f"{resets}, but only until the jump: this kernel was started without watchdog.stop_on_reboot=0"
        return f"{resets}, but only until the jump, which stops it: the booted system has to start it again"


def find(run: Runner, *, sys: str = SYS, dev: str = DEV) -> Watchdog | None:
    """The best watchdog there is: one that outlives the jump, else another one, else the kernel's own timer.

    The drivers that a device asks for are loaded already (load-modules); the others are tried here.
    """
    found = _present(sys, dev)
    for driver in (*_NAMELESS, _SOFTWARE):
        if any(each.hardware for each in found):
            break
        _load(run, driver)
        found = _present(sys, dev)
    # The first of equals: the kernel makes /dev/watchdog of number 0.
    return max(found, key=lambda each: (each.outlives, each.hardware), default=None)


def arm(watchdog: Watchdog, seconds: int, *, opener: Opener = open_device) -> str | None:
    """Start it; from now on nothing feeds it. Returns a sentence where it does not run, and None where it does.

    One that cannot wait for `seconds`, nor for a minute, or does not tell, is left off: it would reset a system that is
    about to come up.
    """
    name = f"the watchdog {watchdog.driver} was not armed"
    try:
        device = opener(watchdog.device)
    except OSError as error:
        return f"{name}: {_why(error)}"
    try:
        # Without this it stops with the last program that has it open, and none has when the next kernel takes over.
        if not device.options() & MAGIC_CLOSE:
            return _left_off(device, f"{name}: it stops when the program that started it ends")
        wanted = watchdog.clamp(seconds)
        try:
            device.set_timeout(wanted)
        except OSError as error:
            return _left_off(device, f"{name}: it does not take {wanted} s ({_why(error)})")
        device.feed()
        left = _left(device)
        if left is None and not watchdog.most:
            # The kernel may feed one that cannot wait for so long, and nobody does after the jump.
            return _left_off(device, f"{name}: it does not say how long it waits without this kernel")
        if left is not None and left + _ROUNDING < min(wanted, _LEAST):
            return _left_off(
                device, f"{name}: it cannot wait for longer than {left + 1} s, and no system starts in that"
            )
        device.close(stop=False)
    except OSError as error:
        return _left_off(device, f"{name}: {_why(error)}")
    return None


def disarm(watchdog: Watchdog, *, sys: str = SYS, opener: Opener = open_device) -> str | None:
    """Stop it again. Returns a sentence where it goes on."""
    try:
        opener(watchdog.device).close(stop=True)
    except OSError as error:
        return f"the watchdog {watchdog.driver} was not stopped: {_why(error)}"
    if _active(sys, watchdog):
        return f"the watchdog {watchdog.driver} does not let itself be stopped, and resets the machine"
    return None


def release(
    run: Runner,
    word: tuple[str, int],
    *,
    sys: str = SYS,
    dev: str = DEV,
    opener: Opener = open_device,
) -> str:
    """Stop the watchdog that the first stage left to this system, unless somebody feeds it. A sentence about it.

    `word` is (driver, seconds). The driver is loaded by its name, for distributions keep udev from loading watchdogs.
    """
    driver, seconds = word
    found = _of(driver, sys, dev)
    if found is None:
        _load(run, driver)
        found = _of(driver, sys, dev)
    if found is None:
        return (
            f"the watchdog {driver}, which the first stage armed, cannot be stopped: this system has no driver for it; "
            f"it resets the machine {seconds} s after its start"
        )
    try:
        opener(found.device).close(stop=True)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return f"the watchdog {driver} is fed by a program of this system"
        return f"the watchdog {driver}, which the first stage armed, was not stopped: {_why(error)}"
    if _active(sys, found):
        return (
            f"the watchdog {driver} does not let itself be stopped (nowayout): something has to feed it, such as "
            "systemd (RuntimeWatchdogSec=), or it resets the machine"
        )
    return f"the watchdog {driver}, which the first stage armed, is stopped"


def fired(*, sys: str = SYS) -> str:
    """The sentence that a watchdog reset this machine just before its kernel started; "" where none says so.

    Not every driver knows: i6300esb does, diag288_wdt does not.
    """
    for each in _present(sys, DEV):
        flags = _number(f"{_directory(sys, each)}/bootstatus")
        if flags & _RESET_BY_IT:
            return f"the watchdog {each.driver} reset the machine: there was no sign of life"
    return ""


def _present(sys: str, dev: str) -> list[Watchdog]:
    """The watchdogs that have a driver, in the kernel's order."""
    try:
        names = os.listdir(f"{sys}/class/watchdog")
    except OSError:
        return []
    numbers = sorted(
        int(name[len("watchdog") :])
        for name in names
        if name.startswith("watchdog") and name[len("watchdog") :].isdecimal()
    )
    # -1: as each driver wants it, and nearly all want to be stopped (drivers/watchdog/watchdog_core.c).
    stopped = _text(f"{sys}/module/watchdog/parameters/stop_on_reboot") != "0"
    return [_watchdog(sys, dev, f"watchdog{number}", stopped) for number in numbers]


def _watchdog(sys: str, dev: str, name: str, stopped: bool) -> Watchdog:
    directory = f"{sys}/class/watchdog/{name}"
    driver = _driver(directory)
    could = driver not in _ENDS_AT_THE_JUMP
    most = _number(f"{directory}/max_timeout") or _MOST.get(driver, 0)
    return Watchdog(driver, f"{dev}/{name}", could and not stopped, most, could and stopped)


def _driver(directory: str) -> str:
    """The module by which modprobe knows it; what it calls itself where no module is said, as one word."""
    for link in ("device/driver/module", "device/driver"):
        with suppress(OSError):
            return os.path.basename(os.readlink(f"{directory}/{link}"))[:_LONGEST_NAME]
    identity = _text(f"{directory}/identity")
    word = "".join(char if char.isascii() and char.isalnum() else "_" for char in identity)[:_LONGEST_NAME]
    return _DRIVERS.get(identity, word.strip("_") or "unknown")


def _of(driver: str, sys: str, dev: str) -> Watchdog | None:
    return next(
        (each for each in _present(sys, dev) if each.driver.replace("-", "_") == driver.replace("-", "_")), None
    )


def _directory(sys: str, watchdog: Watchdog) -> str:
    return f"{sys}/class/watchdog/{os.path.basename(watchdog.device)}"


def _active(sys: str, watchdog: Watchdog) -> bool:
    return _text(f"{_directory(sys, watchdog)}/state") == "active"


def _load(run: Runner, driver: str) -> None:
    with suppress(ChainbootError):  # that it is not there is seen by its absence
        run(["modprobe", "-q", driver], check=False, timeout=_LOAD_S)


def _left(device: Device) -> int | None:
    """None where the driver does not say."""
    try:
        return device.left()
    except OSError:
        return None


def _left_off(device: Device, reason: str) -> str:
    try:
        device.close(stop=True)
    except OSError:
        return f"{reason}; it was not stopped either"
    return reason


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return printable(file.read(256).strip())
    except OSError:
        return ""


def _number(path: str) -> int:
    text = _text(path)
    try:
        return int(text, 0) if len(text) <= 10 else 0
    except ValueError:
        return 0


def _why(error: OSError) -> str:
    return "another program has it" if error.errno == errno.EBUSY else reason(error)
