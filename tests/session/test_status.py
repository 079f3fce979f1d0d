"""What the machine is doing, as text and as JSON."""

from __future__ import annotations

from dataclasses import replace

import pytest
from session.menus import HOSTILE
from session.sessions import ANNA, NO_NETWORK, SERVED, UNSERVED, VERA

from chainboot.remote.reach import Reach
from chainboot.session.choice import Autoboot
from chainboot.session.events import Surroundings
from chainboot.session.log import Act
from chainboot.session.presence import Attached
from chainboot.session.status import Status, log_json, log_text, status_json, status_text

RUNS = Status(
    person=VERA,
    now_ds=1234,
    surroundings=Surroundings(deadline_ds=1300),
    decided=Autoboot(1, 50, default=1),
    boots="nixos-default",
    entries=7,
    attached=(),
    holder="",
    reach=SERVED,
    memory=(512 << 20, 400 << 20),
    problems=(),
)
NEVER = Autoboot(1, None, default=1)


@pytest.mark.parametrize(
    ("status", "countdown", "seconds", "line"),
    [
        (RUNS, "running", 7, "countdown:   boots nixos-default in 7 s"),
        (replace(RUNS, surroundings=Surroundings(total_deadline_ds=1240)), "running", 1, "boots nixos-default in 1 s"),
        (replace(RUNS, surroundings=Surroundings(1300, 1240)), "running", 1, "boots nixos-default in 1 s"),
        (replace(RUNS, now_ds=2000), "running", 0, "boots nixos-default in 0 s"),
        (
            replace(RUNS, surroundings=Surroundings(others=("anna",))),
            "held",
            None,
            "held: nixos-default does not boot by itself",
        ),
        (
            replace(RUNS, surroundings=Surroundings(waiting="the network is not up yet")),
            "not-begun",
            None,
            "not begun, because the network is not up yet",
        ),
        (replace(RUNS, surroundings=Surroundings()), "stopped", None, "stopped; nixos-default is next"),
        (replace(RUNS, decided=NEVER, surroundings=Surroundings()), "never", None, "nothing boots by itself"),
        (replace(RUNS, boots=None, surroundings=Surroundings()), "never", None, "nothing boots by itself"),
        (
            replace(RUNS, decided=replace(NEVER, total_timeout_ds=900), surroundings=Surroundings(None, 1300)),
            "running",
            7,
            "boots nixos-default in 7 s",
        ),
    ],
)
def test_the_countdown(status: Status, countdown: str, seconds: int | None, line: str) -> None:
    assert (status.countdown, status.seconds_left) == (countdown, seconds)
    found = status_json(status)
    assert isinstance(found, dict)
    assert (found["countdown"], found["seconds_left"]) == (countdown, seconds)
    assert line in status_text(status)


def test_the_text_has_a_line_for_each_fact() -> None:
    status = replace(
        RUNS,
        surroundings=Surroundings(others=("anna", "boris (hold)"), leaving="chainboot: booting nixos-42-default"),
        attached=(Attached("anna", True), Attached("somebody at ttyS0", False)),
        holder="boris",
        problems=("/dev/vdb: cannot be mounted",),
    )
    assert status_text(status) == (
        "you:         vera from 192.0.2.11; this key may look\n"
        "leaving:     chainboot: booting nixos-42-default\n"
        "countdown:   held: nixos-default does not boot by itself\n"
        "entries:     7\n"
        "attached:    anna\n"
        "attached:    somebody at ttyS0\n"
        "held by:     boris\n"
        "network:     ssh root@192.0.2.7\n"
        "network:     host key ED25519 SHA256:abc\n"
        "memory:      112 MiB used of 512 MiB\n"
        "up:          123 s\n"
        "problem:     /dev/vdb: cannot be mounted\n"
    )


def test_the_json_has_every_fact() -> None:
    status = replace(
        RUNS,
        person=ANNA,
        surroundings=Surroundings(others=("anna",), leaving="chainboot: booting x"),
        attached=(Attached("boris", True), Attached("somebody at ttyS0", False)),
        holder="vera",
        problems=("a problem",),
    )
    assert status_json(status) == {
        "you": {"name": ANNA.name, "role": "admin"},
        "uptime_ds": 1234,
        "entries": 7,
        "boots_by_itself": "nixos-default",
        "countdown": "held",
        "seconds_left": None,
        "waiting_for": None,
        "held_by": "vera",
        "attached": [{"name": "boris", "remote": True}, {"name": "somebody at ttyS0", "remote": False}],
        "leaving": "chainboot: booting x",
        "addresses": ["192.0.2.7"],
        "ssh": {"state": "on", "port": 22, "listening": True, "host_key": "ED25519 SHA256:abc"},
        "memory_total": 512 << 20,
        "memory_available": 400 << 20,
        "remarks": [],
        "problems": ["a problem"],
    }


def test_what_is_not_known_is_null_in_json_and_no_line_in_text() -> None:
    status = replace(RUNS, reach=UNSERVED, memory=(None, None), boots=None, surroundings=Surroundings())
    found = status_json(status)
    assert isinstance(found, dict)
    for name in ("boots_by_itself", "held_by", "leaving", "waiting_for", "memory_total", "memory_available"):
        assert found[name] is None
    assert found["ssh"] == {"state": "off", "port": 22, "listening": False, "host_key": None}
    text = status_text(status)
    assert "memory" not in text
    assert "network" not in text
    assert "network:     network: no address yet" in status_text(replace(RUNS, reach=NO_NETWORK))


def test_hostile_text_is_harmless() -> None:
    status = replace(
        RUNS,
        boots=HOSTILE,
        surroundings=Surroundings(deadline_ds=1300, leaving=HOSTILE),
        attached=(Attached(HOSTILE, True),),
        holder=HOSTILE,
        reach=Reach("on", problems=(HOSTILE,)),
        problems=(HOSTILE,),
    )
    for line in status_text(status).split("\n"):
        assert line.replace("\ufffd", "").isprintable()


def test_the_log_as_text_and_json() -> None:
    acts = (Act("2026-11-22T20:00:00Z", 123, "anna", "boots x"), Act("2026-11-22T20:00:01Z", 133, "a\x1b[2J", "b\x9b"))
    assert log_text(acts) == (
        "2026-11-22T20:00:00Z [    12.3] anna: boots x\n2026-11-22T20:00:01Z [    13.3] a\ufffd[2J: b\ufffd\n"
    )
    assert log_text(()) == ""
    assert log_json(acts[:1]) == {
        "acts": [{"time": "2026-11-22T20:00:00Z", "uptime_ds": 123, "who": "anna", "what": "boots x"}]
    }
