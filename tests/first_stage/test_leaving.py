"""How long the shell scripts believe that the machine is about to leave."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from first_stage.stage import Stage, make_stage

FILE = "/run/chainboot/leaving"
GIVEN_UP = "the machine did not leave within 120 s; SSH is served again\n"


def leaves(stage: Stage, up: int = 1000) -> bool:
    """What the scripts take for true, `up` seconds after the kernel's start."""
    stage.write("/proc/uptime", f"{up}.99 4.2\n")
    code, output, errors = stage.run("/bin/sh", "-c", ". /usr/lib/chainboot/functions.sh; leaving && echo yes; exit 0")
    assert (code, errors) == (0, "")
    return output == "yes\n"


def test_it_stays(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    assert not leaves(stage)
    assert stage.log() == ""


@pytest.mark.parametrize(("since", "true"), [(1000, True), (881, True), (880, False), (0, False), (1119, True)])
def test_by_the_second_in_its_last_line(tmp_path: Path, since: int, true: bool) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.write(FILE, f"boots @5\n@{since}\n")
    # A clock that was set says nothing.
    os.utime(stage.root / FILE.lstrip("/"), (1, 1))
    assert leaves(stage) is true
    assert (stage.root / FILE.lstrip("/")).exists() is true
    assert stage.log() == ("" if true else GIVEN_UP)
    # Once.
    assert leaves(stage) is true
    assert stage.log() == ("" if true else GIVEN_UP)


def test_one_from_the_future_is_wrong(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.write(FILE, "boots\n@5000\n")
    assert not leaves(stage)


@pytest.mark.parametrize(
    "text", ["", "boots one\n", "@\n", "1000\n", "@1000 \n", "@0x3E8\n", "@0999\n", "@9999999999\n"]
)
@pytest.mark.parametrize(("age", "true"), [(0, True), (100, True), (130, False), (-130, False)])
def test_without_it_by_the_files_own_time(tmp_path: Path, text: str, age: int, true: bool) -> None:
    stage = make_stage(tmp_path / "stage")
    stage.write(FILE, text)
    os.utime(stage.root / FILE.lstrip("/"), (time.time() - age,) * 2)
    # Up for less than any of them says.
    assert leaves(stage, up=0 if true else 1000) is true
    assert stage.log() == ("" if true else GIVEN_UP)
