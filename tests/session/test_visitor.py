"""Who comes to the login shell of a running system: every way to be started, and nothing that widens a role."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainboot.errors import ChainbootError
from chainboot.remote.role import Role
from chainboot.session.request import VERBS as FIRST_STAGE_VERBS
from chainboot.session.request import RequestError
from chainboot.session.visitor import ELSEWHERE, VERBS, forget, read_account, read_login, read_person

ADDRESS = {"SSH_CONNECTION": "192.0.2.9 50022 192.0.2.7 22"}


def asked(*arguments: str, original: str | None = None) -> tuple[Role, str | None]:
    environment = ADDRESS if original is None else {**ADDRESS, "SSH_ORIGINAL_COMMAND": original}
    login = read_login(arguments, environment, "boot")
    return login.person.role, login.words


@pytest.mark.parametrize(
    ("arguments", "role", "words"),
    [
        ([], Role.BOOT, None),
        (["--role", "view"], Role.VIEW, None),
        (["--role=admin"], Role.ADMIN, None),
        (["--role", "edit", "-c", "list --json"], Role.EDIT, "list --json"),
        (["--role", "edit", "-clist --json"], Role.EDIT, "list --json"),
        (["-c", ""], Role.BOOT, None),
        (["-c"], Role.BOOT, None),
        (["-c", " \t"], Role.BOOT, None),
        (["-c", "--role"], Role.BOOT, "--role"),
        (["-c--role=admin"], Role.BOOT, "--role=admin"),
        (["--role", "view", "--role", "admin"], Role.VIEW, None),
        (["--role", "admin", "--role=boot"], Role.BOOT, None),
    ],
)
def test_what_the_server_starts_it_with(arguments: list[str], role: Role, words: str | None) -> None:
    assert asked(*arguments) == (role, words)


@pytest.mark.parametrize(
    ("most", "forced", "role"),
    [
        ("boot", "view", Role.VIEW),
        ("boot", "admin", Role.BOOT),
        ("edit", "edit", Role.EDIT),
        ("view", "edit", Role.VIEW),
        ("admin", "admin", Role.ADMIN),
    ],
)
@pytest.mark.parametrize("form", ["chainboot login --role {}", "/usr/bin/chainboot login --role={} --key 7"])
def test_the_forced_command_of_a_key_narrows_and_the_request_is_elsewhere(
    most: str, forced: str, role: Role, form: str
) -> None:
    command = form.format(forced)
    assert asked("--role", most, "-c", command) == (role, None)
    assert asked("--role", most, "-c", command, original="list") == (role, "list")
    assert asked("--role", most, "-c", command, original="") == (role, None)
    nested = "chainboot login --role admin"
    assert asked("--role", most, "-c", command, original=nested) == (role, nested)


def test_what_the_client_calls_its_command_is_not_asked_for_without_a_forced_one() -> None:
    assert asked(original="boot 2") == (Role.BOOT, None)
    assert asked("-c", "list", original="boot 2") == (Role.BOOT, "list")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-l"], "a login shell takes nothing but -c WORDS, not -l"),
        (["list"], "a login shell takes nothing but -c WORDS, not list"),
        ([""], "a login shell takes nothing but -c WORDS, not an empty word"),
        (["-c", "list", "more"], "a login shell takes nothing but -c WORDS, not more"),
        (["-c", "list", "-c", "boot"], "a login shell takes nothing but -c WORDS, not -c"),
        (["--debug"], "a login shell takes nothing but -c WORDS, not --debug"),
        (["--role", "root"], "--role 'root' is none of view, boot, edit, admin"),
        (["--role"], "--role '' is none of view, boot, edit, admin"),
        (["--role", "none", "--role", "view"], "--role 'none' is none of view, boot, edit, admin"),
        (
            ["-c", "chainboot login --role root"],
            "the forced command of this key makes no sense: its command names no role, "
            "write --role and one of view, boot, edit, admin",
        ),
        (
            ["-c", "chainboot login"],
            "the forced command of this key makes no sense: its command names no role, "
            "write --role and one of view, boot, edit, admin",
        ),
    ],
)
def test_anything_else_lets_nobody_in(arguments: list[str], message: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_login(arguments, ADDRESS, "boot")
    assert str(refused.value) == message
    assert refused.value.code == 2


_WORDS = st.one_of(
    st.sampled_from(["-c", "--role", "--role=admin", "admin", "chainboot login --role admin", "boot 1", "-l"]),
    st.text(max_size=8),
)


@given(st.lists(_WORDS, max_size=6), st.text(max_size=20))
def test_nothing_that_is_added_gives_more_than_the_first_role(words: list[str], original: str) -> None:
    try:
        role, _ = asked("--role", "view", *words, original=original)
    except ChainbootError:
        return
    assert role is Role.VIEW


def test_the_name_is_the_account_and_where_it_comes_from() -> None:
    login = read_login([], ADDRESS, "menu\x1b[2J")
    assert login.person.name == "menu\ufffd[2J from 192.0.2.9"
    assert login.person.remote
    local = read_login([], {}, "menu")
    assert local.person.name.startswith("menu at ")


ME = os.getuid()
OTHER = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, ME))
SUDO = {"SUDO_USER": "bob"}


@pytest.mark.parametrize(
    ("loginuid", "environment", "account"),
    [
        (f"{OTHER.pw_uid}", SUDO, OTHER.pw_name),
        (f"{OTHER.pw_uid}\n", {}, OTHER.pw_name),
        ("4123456789", SUDO, "user 4123456789"),
        ("4294967295", {}, pwd.getpwuid(ME).pw_name),
        ("", {"SUDO_USER": ""}, pwd.getpwuid(ME).pw_name),
        (None, {}, pwd.getpwuid(ME).pw_name),
        ("4294967295", SUDO, "bob" if ME == 0 else pwd.getpwuid(ME).pw_name),
        (None, SUDO, "bob" if ME == 0 else pwd.getpwuid(ME).pw_name),
        ("nonsense", SUDO, "bob" if ME == 0 else pwd.getpwuid(ME).pw_name),
    ],
)
def test_the_account_is_who_logged_in_then_who_called_sudo_then_who_it_runs_as(
    tmp_path: Path, loginuid: str | None, environment: dict[str, str], account: str
) -> None:
    file = tmp_path / "loginuid"
    if loginuid is not None:
        file.write_text(loginuid)
    assert read_account(environment, str(file)) == account


def test_a_hostile_account_has_a_clean_name() -> None:
    assert read_person("x\x1b[2Jy", Role.BOOT, {}).name.startswith("x\ufffd[2Jy at ")
    assert read_person("x\x1b[2Jy", Role.BOOT, ADDRESS).name == "x\ufffd[2Jy from 192.0.2.9"


def test_nothing_of_the_client_s_environment_is_handed_on() -> None:
    environment = {
        "TERM": "xterm",
        "PATH": "/home/boot/bin",
        "LD_PRELOAD": "/home/boot/evil.so",
        "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/home/boot/bus",
        "SYSTEMD_PAGER": "sh",
        "PYTHONPATH": "/home/boot",
        "SSH_CONNECTION": "x",
    }
    forget(environment)
    assert environment == {
        "TERM": "xterm",
        "PATH": "/run/current-system/sw/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "HOME": "/",
    }
    empty: dict[str, str] = {}
    forget(empty)
    assert set(empty) == {"PATH", "LC_ALL", "HOME"}


# Written out by hand, as for the first stage.
LEAST = {
    "menu": Role.VIEW,
    "list": Role.VIEW,
    "show": Role.VIEW,
    "plan": Role.VIEW,
    "status": Role.VIEW,
    "next": Role.BOOT,
    "rollback": Role.BOOT,
    "confirm": Role.BOOT,
    "set-default": Role.EDIT,
    "check": Role.VIEW,
    "help": Role.VIEW,
    "boot": Role.BOOT,
}


def test_every_verb_of_the_first_stage_is_here_or_has_a_reason_why_it_is_not() -> None:
    assert {verb.name: verb.role for verb in VERBS} == LEAST
    assert {verb.name for verb in FIRST_STAGE_VERBS} - set(LEAST) == set(ELSEWHERE)
    assert not set(LEAST) & set(ELSEWHERE)
