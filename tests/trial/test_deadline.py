"""The deadline's timer as systemctl tells of it, and the ways to restart the machine."""

from __future__ import annotations

import pytest
from fakes import FakeRunner

from chainboot.process import Completed, ProcessError
from chainboot.trial.deadline import failed_units, microseconds, restart, seconds_left, stop

FAILED = Completed((), 1, stderr="no")


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ("10min", 600_000_000),
        ("9min 58.250s", 598_250_000),
        ("1d 2h 3min 4s", 93_784_000_000),
        ("1month 1y", 34_187_400_000_000),
        ("250ms", 250_000),
        ("5us", 5),
        ("5\u03bcs", 5),
        ("infinity", None),
        ("0", None),
        ("", None),
        ("1e9s", None),
        ("ten min", None),
        ("1 2", None),
        ("9" * 30 + "s", None),
        ("99999999999999999y", None),
        ("1.2.3s", None),
    ],
)
def test_a_time_span_of_systemd(span: str, expected: int | None) -> None:
    assert microseconds(span) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("ActiveState=active\nNextElapseUSecMonotonic=10min\n", 588),
        ("NextElapseUSecMonotonic=12.001s\nActiveState=active\n", 1),
        ("ActiveState=active\nNextElapseUSecMonotonic=1s\n", 0),
        ("ActiveState=inactive\nNextElapseUSecMonotonic=10min\n", None),
        ("ActiveState=active\nNextElapseUSecMonotonic=infinity\n", None),
        ("ActiveState=active\nNextElapseUSecMonotonic=\n", None),
        ("nonsense\n", None),
    ],
)
def test_how_long_is_left(told: str, expected: int | None) -> None:
    runner = FakeRunner({"systemctl show chainboot-deadline.timer": Completed((), 0, told)})
    assert seconds_left(runner, 12.0) == expected


def test_nobody_knows_how_long_without_systemd() -> None:
    assert seconds_left(FakeRunner({"systemctl": FAILED}), 0.0) is None


def test_what_waits_is_stopped_without_waiting_for_it() -> None:
    runner = FakeRunner()
    stop(runner)
    assert runner.commands == [
        ("systemctl", "--no-block", "stop", "chainboot-deadline.timer"),
        ("systemctl", "--no-block", "stop", "chainboot-login.path"),
    ]
    stop(FakeRunner({"systemctl": FAILED}))


def test_the_machine_restarts_one_way_or_another() -> None:
    ways = [("systemctl", "reboot", "-i"), ("systemctl", "reboot", "--force"), ("reboot", "-f")]
    for works in (1, 2, 3):
        runner = FakeRunner({" ".join(way): FAILED for way in ways[: works - 1]})
        restart(runner)
        assert runner.commands == ways[:works]
    with pytest.raises(ProcessError, match="reboot exited with 1"):
        restart(FakeRunner({"": FAILED}))


def test_units_that_failed() -> None:
    table = "chainboot-check-route.service loaded failed failed Check\na.service x\nb.service x\nc.service x\n"
    table = f"chainboot-deadline.service loaded failed failed x\n\n{table}"
    runner = FakeRunner({"systemctl list-units --failed": Completed((), 0, table)})
    assert failed_units(runner) == ("chainboot-check-route.service", "a.service", "b.service")
    assert failed_units(FakeRunner({"systemctl": FAILED})) == ()
