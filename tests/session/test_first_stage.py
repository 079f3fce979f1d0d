"""A session of the first stage: what the settings say reaches those who act on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chainboot.session.first_stage import Session, menu, open_session
from chainboot.session.login import verbs
from chainboot.session.person import at_console
from chainboot.settings import Settings


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session on a machine whose kernel was given a console."""
    cmdline = tmp_path / "cmdline"
    cmdline.write_text("quiet console=ttyS0,115200\n")
    settings = Settings(add_console=True, installed="0123456789ab")
    opened = open_session(at_console("ttyS0"), lambda _text: None, read=lambda: (settings, ("a complaint",)))
    return replace(opened, cmdline=str(cmdline), active=str(tmp_path / "active"))


def test_the_menu_and_the_verbs_add_the_console_of_this_machine(session: Session) -> None:
    assert session.consoles() == "console=ttyS0,115200"
    assert menu(session).consoles == "console=ttyS0,115200"
    assert verbs(session).consoles == "console=ttyS0,115200"


def test_where_the_setting_is_off_no_console_is_added(session: Session) -> None:
    off = replace(session, settings=Settings(add_console=False))
    assert [off.consoles(), menu(off).consoles, verbs(off).consoles] == ["", "", ""]


def test_a_console_that_nobody_named_is_the_one_in_use(session: Session) -> None:
    Path(session.cmdline).write_text("quiet\n")
    Path(session.active).write_text("tty0 ttyAMA0\n")
    assert session.consoles() == "console=ttyAMA0"


def test_a_departure_knows_which_first_stage_it_leaves(session: Session) -> None:
    assert session.departure.installed == "0123456789ab"
    assert menu(session).departure is session.departure
    assert verbs(session).departure is session.departure
    assert session.complaints == menu(session).complaints == verbs(session).complaints == ("a complaint",)
