"""Who sits there: a clean name that others are told, and what the menu offers them."""

from __future__ import annotations

import os

import pytest
from session.emulator import Pty

from chainboot.remote.role import Role
from chainboot.session.person import Person, at_console, console_name, over_ssh
from chainboot.session.state import Abilities
from chainboot.text import printable, width

ADDRESS = {"SSH_CONNECTION": "192.0.2.9 50022 192.0.2.7 22"}


@pytest.mark.parametrize(
    ("comment", "environment", "name"),
    [
        ("anna@laptop", ADDRESS, "anna@laptop from 192.0.2.9"),
        ("", ADDRESS, "a key without a comment from 192.0.2.9"),
        ("  ", ADDRESS, "a key without a comment from 192.0.2.9"),
        ("anna", {"SSH_CLIENT": "2001:db8::9 50022 22"}, "anna from 2001:db8::9"),
        ("anna", {**ADDRESS, "SSH_CLIENT": "192.0.2.1 1 22"}, "anna from 192.0.2.9"),
        ("anna", {"SSH_CONNECTION": ""}, "anna from an unknown address"),
        ("anna", {"SSH_CONNECTION": "  "}, "anna from an unknown address"),
        ("anna", {}, "anna from an unknown address"),
        ("a\x1b[2J\u202e\nb", ADDRESS, "a\ufffd[2J\ufffd\ufffdb from 192.0.2.9"),
        ("x" * 200, ADDRESS, f"{'x' * 59}~ from 192.0.2.9"),
        ("漢" * 100, ADDRESS, f"{'漢' * 29}~ from 192.0.2.9"),
        ("anna", {"SSH_CONNECTION": "\x1b[2J" + "9" * 100}, f"anna from \ufffd[2J{'9' * 55}~"),
    ],
)
def test_a_name_over_ssh(comment: str, environment: dict[str, str], name: str) -> None:
    person = over_ssh(Role.BOOT, comment, environment)
    assert person == Person(name, Role.BOOT, remote=True)
    assert printable(person.name) == person.name
    assert width(person.name) <= 130


@pytest.mark.parametrize(
    ("role", "abilities", "may"),
    [
        (Role.VIEW, Abilities(False, False, False, False, True, True), "look"),
        (Role.BOOT, Abilities(True, True, False, False, True, True), "look and boot an entry"),
        (Role.EDIT, Abilities(True, True, False, True, True, True), "look, boot an entry and change its command line"),
        (Role.ADMIN, Abilities(True, True, True, True, True, True), "do everything, and open a shell"),
    ],
)
def test_the_menu_offers_what_the_key_may_do(role: Role, abilities: Abilities, may: str) -> None:
    person = over_ssh(role, "anna", ADDRESS)
    assert person.abilities() == abilities
    assert person.facts() == (f"You are anna from 192.0.2.9; this key may {may}.",)


def test_at_a_console_everything_may_be_done_but_there_is_nothing_to_quit_to() -> None:
    person = at_console("ttyS0")
    assert person == Person("somebody at ttyS0", Role.ADMIN, remote=False)
    assert person.abilities() == Abilities(True, True, True, True, False, True)
    assert person.facts() == ()


def test_a_console_has_the_name_of_its_terminal(pty: Pty) -> None:
    assert console_name(pty.slave) == os.ttyname(pty.slave).removeprefix("/dev/")
    read, write = os.pipe()
    assert console_name(read) == "a console"
    os.close(read)
    os.close(write)
