"""Watchdogs on made-up machines: which one is taken, what is done with it, and what is said."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from chainboot.process import Completed, ProcessError
from chainboot.trial.watchdog import Watchdog, arm, disarm, find, fired, release
from chainboot.trial.watchdog_device import MAGIC_CLOSE, Device, Opener


@dataclass
class Machine:
    """A sysfs below `root`. `modules` appear when modprobe is asked for them."""

    root: Path
    modules: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def watchdog(
        self, driver: str = "", identity: str = "", *, most: int = 0, state: str = "inactive", bootstatus: str = "0"
    ) -> None:
        """One more; without a driver it says only what it calls itself, as i6300esb of Linux 6.1 does."""
        number = len(list((self.root / "class/watchdog").glob("*")))
        own = self.root / "class/watchdog" / f"watchdog{number}"
        own.mkdir(parents=True)
        for name, text in (
            ("identity", identity or driver),
            ("max_timeout", str(most)),
            ("state", state),
            ("bootstatus", bootstatus),
        ):
            (own / name).write_text(f"{text}\n")
        if driver:
            (own / "device/driver").mkdir(parents=True)
            os.symlink(f"../../../../module/{driver}", own / "device/driver/module")

    def keeps(self, value: str = "0") -> None:
        """The core is told what happens to watchdogs when this kernel ends."""
        parameters = self.root / "module/watchdog/parameters"
        parameters.mkdir(parents=True)
        (parameters / "stop_on_reboot").write_text(f"{value}\n")

    def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        assert argv[:2] == ["modprobe", "-q"]
        assert not check
        assert timeout is not None
        self.asked.append(argv[2])
        if argv[2] in self.modules:
            self.watchdog(identity=self.modules[argv[2]])
        return Completed(tuple(argv), 0)

    def find(self) -> Watchdog | None:
        """`find` on this machine."""
        return find(self, sys=str(self.root))

    def release(self, driver: str, device: Hardware | OSError) -> str:
        """`release` on this machine, of what was armed for 600 s."""
        return release(self, (driver, 600), sys=str(self.root), opener=opener(device))


@dataclass
class Hardware:
    """A watchdog that remembers what was done with it. `most` is how long it can wait, whatever it is told."""

    flags: int = MAGIC_CLOSE
    most: int | None = None
    refuses: str = ""
    done: list[str] = field(default_factory=list)
    seconds: int = 30

    def options(self) -> int:
        return self._does("options", self.flags)

    def set_timeout(self, seconds: int) -> None:
        self.seconds = self._does("set", seconds)
        self.done[-1] = f"set {seconds}"

    def feed(self) -> None:
        self._does("feed")

    def left(self) -> int:
        if self.most is None:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return min(self.most, self.seconds) - 1

    def close(self, *, stop: bool) -> None:
        self._does("stop" if stop else "close")

    def _does(self, what: str, value: int = 0) -> int:
        self.done.append(what)
        if what == self.refuses:
            raise OSError(errno.EINVAL, "Invalid argument")
        return value


def opener(device: Hardware | OSError) -> Opener:
    """Opens nothing else."""

    def opened(path: str) -> Device:
        assert path.startswith("/dev/watchdog")
        if isinstance(device, OSError):
            raise device
        return device

    return opened


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


BUSY = OSError(errno.EBUSY, "Device or resource busy")
GOOD = Watchdog("i6300esb", "/dev/watchdog0", most=2046)

# -- finding


def test_a_machine_without_any_has_none(machine: Machine) -> None:
    assert machine.find() is None
    assert machine.asked == ["diag288_wdt", "softdog"]


def test_the_driver_is_the_module_that_the_kernel_names(machine: Machine) -> None:
    machine.keeps()
    machine.watchdog("iTCO_wdt", "something else")
    assert machine.find() == Watchdog("iTCO_wdt", "/dev/watchdog0", most=613)
    assert machine.asked == []


@pytest.mark.parametrize(
    ("identity", "driver"),
    [
        ("i6300ESB timer", "i6300esb"),
        ("Fine Dog \x1b[2J; 3", "Fine_Dog___2J__3"),
        ("", "unknown"),
        ("-q", "q"),
        ("x" * 99, "x" * 32),
    ],
)
def test_one_without_a_module_is_known_by_what_it_calls_itself(machine: Machine, identity: str, driver: str) -> None:
    machine.keeps()
    machine.watchdog(identity=identity)
    found = machine.find()
    assert found is not None
    assert found.driver == driver


def test_the_kernel_s_own_timer_is_the_last_resort(machine: Machine) -> None:
    machine.modules = {"softdog": "Software Watchdog"}
    machine.keeps()
    found = machine.find()
    assert found == Watchdog("softdog", "/dev/watchdog0", outlives=False)
    assert found.describe(600).endswith("but only until the jump: no hardware watchdog was found")
    assert found.word(600) == ""


def test_that_of_an_ibm_z_is_loaded_by_its_name_and_ends_at_the_jump(machine: Machine) -> None:
    machine.modules = {"diag288_wdt": "z Watchdog", "softdog": "Software Watchdog"}
    machine.keeps()
    found = machine.find()
    assert found == Watchdog("diag288_wdt", "/dev/watchdog0", outlives=False)
    assert machine.asked == ["diag288_wdt"]
    assert found.describe(15).endswith("the jump, which stops it: the booted system has to start it again")
    assert found.word(15) == ""


def test_a_timer_that_is_there_does_not_hide_the_hardware(machine: Machine) -> None:
    machine.watchdog(identity="Software Watchdog")
    machine.modules = {"diag288_wdt": "z Watchdog"}
    found = machine.find()
    assert found is not None
    assert found.driver == "diag288_wdt"


@pytest.mark.parametrize("value", ["-1", "1", ""])
def test_a_kernel_that_ends_watchdogs_on_its_way_out_is_said(machine: Machine, value: str) -> None:
    if value:
        machine.keeps(value)
    machine.watchdog("iTCO_wdt")
    found = machine.find()
    assert found == Watchdog("iTCO_wdt", "/dev/watchdog0", outlives=False, most=613, stopped=True)
    assert found.describe(60).endswith("only until the jump: this kernel was started without watchdog.stop_on_reboot=0")
    # There are drivers that do not care, so the booted system is told.
    assert found.word(60) == "iTCO_wdt:60"


def test_one_that_outlives_the_jump_is_the_best(machine: Machine) -> None:
    machine.keeps()
    for identity in ("Software Watchdog", "z Watchdog", "i6300ESB timer", "iTCO_wdt"):
        machine.watchdog(identity=identity)
    found = machine.find()
    assert found == Watchdog("i6300esb", "/dev/watchdog2", most=2046)
    assert found.describe(600) == "the watchdog i6300esb resets the machine after 600 s without a sign of life"
    assert found.word(600) == "i6300esb:600"


def test_the_tenth_comes_after_the_second(machine: Machine) -> None:
    machine.keeps()
    for number in range(11):
        machine.watchdog(identity="Software Watchdog" if number < 2 else f"dog {number}")
    found = machine.find()
    assert found is not None
    assert found.device == "/dev/watchdog2"


def test_a_modprobe_that_does_not_answer_is_no_watchdog(tmp_path: Path) -> None:
    def hangs(argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        raise ProcessError(f"{argv[0]} did not finish within {timeout} s" if not check else "")

    assert find(hangs, sys=str(tmp_path)) is None


@pytest.mark.parametrize(("most", "seconds"), [(2046, 600), (300, 300), (0, 600)])
def test_it_waits_no_longer_than_it_says(machine: Machine, most: int, seconds: int) -> None:
    machine.watchdog("dog", most=most)
    found = machine.find()
    assert found is not None
    assert found.clamp(600) == seconds


def test_one_that_does_not_say_is_known_all_the_same(machine: Machine) -> None:
    machine.watchdog("iTCO_wdt")
    found = machine.find()
    assert found is not None
    assert found.clamp(900) == 613


# -- arming


def test_armed_it_is_told_how_long_and_left_to_itself() -> None:
    device = Hardware()
    assert arm(GOOD, 600, opener=opener(device)) is None
    assert device.done == ["options", "set 600", "feed", "close"]


def test_what_it_cannot_is_not_asked_of_it() -> None:
    device = Hardware()
    arm(GOOD, 9999, opener=opener(device))
    assert "set 2046" in device.done


@pytest.mark.parametrize(("most", "seconds"), [(600, 600), (60, 600), (20, 20), (59, 600)])
def test_one_that_waits_long_enough_for_a_boot_is_armed(most: int, seconds: int) -> None:
    assert arm(GOOD, seconds, opener=opener(Hardware(most=most))) is None


def test_one_that_cannot_wait_for_a_boot_is_left_off() -> None:
    device = Hardware(most=15)
    assert arm(GOOD, 600, opener=opener(device)) == (
        "the watchdog i6300esb was not armed: it cannot wait for longer than 15 s, and no system starts in that"
    )
    assert device.done[-1] == "stop"


def test_one_that_does_not_say_how_long_it_waits_by_itself_is_left_off() -> None:
    """Drivers whose hardware waits for a second take any time: this kernel feeds it, and after the jump nobody does."""
    device = Hardware()
    assert arm(replace(GOOD, driver="gpio_wdt", most=0), 600, opener=opener(device)) == (
        "the watchdog gpio_wdt was not armed: it does not say how long it waits without this kernel"
    )
    assert device.done[-1] == "stop"
    assert arm(replace(GOOD, most=0), 600, opener=opener(Hardware(most=600))) is None


def test_one_that_stops_with_this_program_is_left_off() -> None:
    device = Hardware(flags=0x8000)
    problem = arm(GOOD, 600, opener=opener(device))
    assert problem == "the watchdog i6300esb was not armed: it stops when the program that started it ends"
    assert device.done == ["options", "stop"]


def test_a_time_that_it_does_not_take_is_said() -> None:
    device = Hardware(refuses="set")
    assert arm(GOOD, 600, opener=opener(device)) == (
        "the watchdog i6300esb was not armed: it does not take 600 s (invalid argument)"
    )
    assert device.done[-1] == "stop"


@pytest.mark.parametrize("step", ["options", "feed", "close"])
def test_whatever_fails_it_is_left_off(step: str) -> None:
    device = Hardware(refuses=step)
    assert arm(GOOD, 600, opener=opener(device)) == "the watchdog i6300esb was not armed: invalid argument"
    assert device.done[-1] == "stop"


def test_one_that_does_not_stop_either_is_said() -> None:
    device = Hardware(flags=0, refuses="stop")
    problem = arm(GOOD, 600, opener=opener(device))
    assert problem is not None
    assert problem.endswith("; it was not stopped either")


@pytest.mark.parametrize(
    ("error", "reason"),
    [(BUSY, "another program has it"), (FileNotFoundError(errno.ENOENT, "No such file"), "no such file")],
)
def test_one_that_cannot_be_opened_is_a_sentence(error: OSError, reason: str) -> None:
    assert arm(GOOD, 600, opener=opener(error)) == f"the watchdog i6300esb was not armed: {reason}"
    assert disarm(GOOD, opener=opener(error)) == f"the watchdog i6300esb was not stopped: {reason}"


def test_disarmed_it_is_stopped(machine: Machine) -> None:
    machine.watchdog("i6300esb")
    device = Hardware()
    assert disarm(GOOD, sys=str(machine.root), opener=opener(device)) is None
    assert device.done == ["stop"]


def test_one_that_goes_on_all_the_same_is_said(machine: Machine) -> None:
    machine.watchdog("i6300esb", state="active")
    problem = disarm(GOOD, sys=str(machine.root), opener=opener(Hardware()))
    assert problem == "the watchdog i6300esb does not let itself be stopped, and resets the machine"


# -- the running system


def test_what_nobody_feeds_is_stopped_once_the_system_is_good(machine: Machine) -> None:
    machine.watchdog("softdog")
    machine.watchdog("iTCO_wdt")
    device = Hardware()
    assert machine.release("iTCO_wdt", device) == "the watchdog iTCO_wdt, which the first stage armed, is stopped"
    assert device.done == ["stop"]
    assert machine.asked == []


def test_its_driver_is_loaded_where_nothing_else_has(machine: Machine) -> None:
    machine.modules = {"i6300esb": "i6300ESB timer"}
    assert machine.release("i6300esb", Hardware()).endswith("is stopped")
    assert machine.asked == ["i6300esb"]


def test_one_that_somebody_feeds_is_left_to_them(machine: Machine) -> None:
    machine.watchdog("iTCO_wdt")
    assert machine.release("iTCO_wdt", BUSY) == "the watchdog iTCO_wdt is fed by a program of this system"


def test_one_without_a_driver_is_a_warning(machine: Machine) -> None:
    assert machine.release("i6300esb", Hardware()) == (
        "the watchdog i6300esb, which the first stage armed, cannot be stopped: this system has no driver for it; it "
        "resets the machine 600 s after its start"
    )


def test_one_that_is_not_to_be_stopped_is_a_warning(machine: Machine) -> None:
    machine.watchdog("iTCO_wdt", state="active")
    assert "(nowayout): something has to feed it" in machine.release("iTCO_wdt", Hardware())


def test_one_that_refuses_is_a_sentence(machine: Machine) -> None:
    machine.watchdog("iTCO_wdt")
    assert machine.release("iTCO_wdt", Hardware(refuses="stop")) == (
        "the watchdog iTCO_wdt, which the first stage armed, was not stopped: invalid argument"
    )


# -- after a reset


@pytest.mark.parametrize("flags", ["32", "0x20", "33"])
def test_a_reset_by_the_watchdog_is_known_afterwards(machine: Machine, flags: str) -> None:
    machine.watchdog("softdog")
    machine.watchdog("i6300esb", bootstatus=flags)
    assert fired(sys=str(machine.root)) == "the watchdog i6300esb reset the machine: there was no sign of life"


@pytest.mark.parametrize("flags", ["0", "1", "", "many", "9" * 99])
def test_any_other_start_is_none_of_it(machine: Machine, flags: str) -> None:
    machine.watchdog("i6300esb", bootstatus=flags)
    assert fired(sys=str(machine.root)) == ""


def test_a_machine_without_watchdogs_was_reset_by_none(tmp_path: Path) -> None:
    assert fired(sys=str(tmp_path)) == ""
