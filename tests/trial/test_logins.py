"""Whose login over SSH counts, as loginctl tells of sessions."""

from __future__ import annotations

import pytest
from fakes import FakeRunner

from chainboot.process import Completed, ProcessError
from chainboot.trial.logins import find_login

ALICE = {
    "Remote": "yes", "Service": "sshd", "Class": "user", "State": "active", "Name": "alice",
    "RemoteHost": "192.0.2.9",
}  # fmt: skip


def logind(*sessions: dict[str, str]) -> FakeRunner:
    """loginctl with these sessions, numbered from 1."""
    listed = "".join(f"{number} 1000 somebody seat0 tty2\n" for number in range(1, len(sessions) + 1))
    answers = {"loginctl list-sessions": Completed((), 0, f"\n{listed}")}
    asked = " ".join(f"--property={name}" for name in ALICE)
    for number, session in enumerate(sessions, 1):
        told = "".join(f"{name}={value}\n" for name, value in session.items())
        answers[f"loginctl show-session {asked} -- {number}"] = Completed((), 0, told)
    return FakeRunner(answers)


def find(runner: FakeRunner, *besides: str) -> tuple[str | None, int]:
    """Whoever was found, and how often it was waited."""
    slept: list[float] = []
    return find_login(runner, besides, slept.append), len(slept)


def test_somebody_over_ssh_is_found_at_once() -> None:
    assert find(logind({"Remote": "no"}, ALICE)) == ("alice from 192.0.2.9", 0)
    assert find(logind({**ALICE, "RemoteHost": ""})) == ("alice", 0)
    assert find(logind({**ALICE, "Class": "user-early", "Name": "root"})) == ("root from 192.0.2.9", 0)


@pytest.mark.parametrize(
    "other",
    [
        {"Remote": "no"},
        {"Service": "login"},
        {"Service": "sshd-x"},
        {"Class": "manager"},
        {"Class": "background"},
        {"State": "closing"},
        {"State": "opening"},
        {"Name": ""},
        {"Name": "boot"},
    ],
    ids=lambda other: "-".join(f"{name}={value}" for name, value in other.items()),
)
def test_who_does_not_count(other: dict[str, str]) -> None:
    found, waited = find(logind({**ALICE, **other}), "boot")
    assert found is None
    assert waited == (40 if other == {"State": "opening"} else 3), "one that is about to open is waited for"


def test_what_a_client_is_called_cannot_drive_a_terminal() -> None:
    found, _ = find(logind({**ALICE, "RemoteHost": "\x1b[2J" + "x" * 500}))
    assert found is not None
    assert "\x1b" not in found
    assert len(found) <= 120


def test_a_session_that_has_just_ended_and_a_logind_that_does_not_answer() -> None:
    gone = logind(ALICE)
    gone.answers = {"loginctl show-session": Completed((), 1), **gone.answers}
    assert find(gone)[0] is None
    with pytest.raises(ProcessError):
        find(FakeRunner({"loginctl": Completed((), 1, stderr="no bus")}))


def test_a_session_that_opens_slowly_is_waited_for() -> None:
    opening, opened = logind({**ALICE, "State": "opening"}), logind(ALICE)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 30:
            opening.answers = opened.answers

    assert find_login(opening, (), sleep) == "alice from 192.0.2.9"
    assert sum(slept) == 45
