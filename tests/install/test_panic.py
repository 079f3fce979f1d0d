"""The rule that lets a panic of the booted system end in a boot: written where that can be, said where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from install.volumes import Box

from chainboot.install.panic import NAME, RULE, TEXT

SHIPPED = Path(__file__).parents[2] / "python/tmpfiles.d/chainboot.conf"


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    (made.tmpfiles / NAME).unlink()
    return made


def test_packages_ship_the_same_rule() -> None:
    assert SHIPPED.read_text() == TEXT
    assert TEXT.splitlines()[-1] == RULE


def test_the_rule_is_written_once(box: Box) -> None:
    box.install("a")
    assert (box.tmpfiles / NAME).read_text() == TEXT
    box.install("b")
    assert not any(str(box.tmpfiles) in line for line in box.said)


def test_somebodys_own_rule_is_left_alone(box: Box) -> None:
    (box.tmpfiles / NAME).write_text("mine\n")
    box.install("a")
    assert (box.tmpfiles / NAME).read_text() == "mine\n"


def test_a_dry_run_shows_it_and_writes_nothing(box: Box) -> None:
    plan = box.install("a", dry_run=True)
    assert "  let a panic of the booted system end in a boot:\n" in plan
    assert RULE in plan
    assert not list(box.tmpfiles.iterdir())


def test_where_it_cannot_be_written_it_is_said(box: Box) -> None:
    box.tmpfiles.rmdir()
    box.install("a")
    said = [line for line in box.said if line.startswith("a panic of the booted system leaves this machine standing")]
    assert said == [
        f"a panic of the booted system leaves this machine standing: {box.tmpfiles} cannot be written, so add the rule "
        f"yourself (NixOS: systemd.tmpfiles.rules): {RULE}"
    ]
