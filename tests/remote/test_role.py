"""Roles: which includes which, and how they are named."""

from __future__ import annotations

import pytest

from chainboot.remote.role import Role, parse_role
from chainboot.settings import ROLES

VIEW, BOOT, EDIT, ADMIN = Role.VIEW, Role.BOOT, Role.EDIT, Role.ADMIN


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(VIEW, {VIEW}), (BOOT, {VIEW, BOOT}), (EDIT, {VIEW, BOOT, EDIT}), (ADMIN, {VIEW, BOOT, EDIT, ADMIN})],
)
def test_each_role_includes_the_ones_before_it(role: Role, allowed: set[Role]) -> None:
    assert {needed for needed in Role if role.allows(needed)} == allowed


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("view", VIEW),
        (" Admin\n", ADMIN),
        ("edit", EDIT),
        ("", None),
        ("none", None),
        ("root", None),
        ("admin boot", None),
        ("adm", None),
    ],
)
def test_a_role_is_known_by_its_whole_name(text: str, role: Role | None) -> None:
    assert parse_role(text) is role


def test_every_role_says_what_it_may_and_is_a_setting() -> None:
    assert [role.value for role in Role] == list(ROLES)
    assert len({role.may for role in Role}) == len(Role)
    assert "shell" in ADMIN.may
    assert not any("shell" in role.may for role in (VIEW, BOOT, EDIT))
