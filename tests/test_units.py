"""The units for systemd: each calls a verb that there is, and systemd itself has nothing against them."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from chainboot.arguments import parse_arguments
from chainboot.settings import RUNTIME
from chainboot.trial import deadline
from chainboot.trial.proof import State
from chainboot.trial.words import ENTRY, TRIAL

HERE = Path(__file__).parents[1] / "python"
UNITS = sorted((HERE / "systemd").iterdir())
CHECKS = {path.name for path in (HERE / "health").iterdir()}


def read(path: Path) -> configparser.RawConfigParser:
    unit = configparser.RawConfigParser(strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(path.read_text())
    return unit


def unit(name: str) -> configparser.RawConfigParser:
    return read(HERE / "systemd" / name)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_for_counted_boots_only(path: Path) -> None:
    text = read(path)
    trials_only = "bless" not in path.name and "check" not in path.name
    assert text["Unit"]["ConditionKernelCommandLine"] == (TRIAL if trials_only else ENTRY)
    assert text["Unit"]["Description"]


@pytest.mark.parametrize("path", [path for path in UNITS if path.suffix == ".service"], ids=lambda path: path.name)
def test_a_service_calls_what_there_is(path: Path) -> None:
    words = shlex.split(read(path)["Service"]["ExecStart"])
    if words[0] == "/usr/bin/chainboot":
        assert parse_arguments(words[1:]).verb in ("bless", "confirm", "expire")
    else:
        assert words[0].removeprefix("/usr/lib/chainboot/") in CHECKS
        assert read(path)["Install"]["RequiredBy"] == read(path)["Unit"]["Before"] == "boot-complete.target"


def test_the_program_and_the_units_mean_the_same() -> None:
    names = {path.name for path in UNITS}
    assert {deadline.TIMER, deadline.LOGIN} <= names
    for name in ("chainboot-deadline.service", "chainboot-login.service"):
        assert unit(name)["Unit"]["ConditionPathExists"] == f"!{RUNTIME}/{State.BLESSED.value}"


def test_a_blessing_that_fails_is_tried_again_until_the_boot_is_given_up() -> None:
    bless = unit("chainboot-bless.service")
    assert (bless["Service"]["Restart"], bless["Service"]["RestartSec"]) == ("on-failure", "15")
    assert bless["Unit"]["StartLimitIntervalSec"] == "0"
    assert bless["Unit"]["ConditionPathExists"] == f"!{RUNTIME}/{State.EXPIRED.value}"


def test_the_deadline_holds_whatever_else_hangs_and_whatever_fails() -> None:
    assert unit("chainboot-deadline.timer")["Unit"]["DefaultDependencies"] == "no"
    service = unit("chainboot-deadline.service")
    assert service["Unit"]["DefaultDependencies"] == "no"
    assert service["Unit"]["FailureAction"] == "reboot-force"
    assert "Conflicts" not in service["Unit"], "the shutdown that it begins would end it, as a failure"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_them(tmp_path: Path) -> None:
    for path in UNITS:
        text = "".join(
            "ExecStart=/bin/true\n" if line.startswith("ExecStart=") else f"{line}\n"
            for line in path.read_text().splitlines()
        )
        name = path.name.replace("@.", "@example.org.")
        (tmp_path / name).write_text(text)
    given = sorted(str(path) for path in tmp_path.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *given], capture_output=True, text=True, timeout=120, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "chainboot-" in line]
    assert ours == []
