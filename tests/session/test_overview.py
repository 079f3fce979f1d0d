"""What one session sees of the machine: the floor under the countdown, what it waits for, and who holds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from session.sessions import (
    ANNA,
    CONSOLE,
    NO_NETWORK,
    NOT_LISTENING,
    SERVED,
    UNSERVED,
    VERA,
    Machine,
    Sitting,
    elsewhere,
    kill,
)

from chainboot.remote.reach import Reach
from chainboot.session.choice import Autoboot
from chainboot.session.clock import clock
from chainboot.session.countdown import Countdown
from chainboot.session.events import Surroundings
from chainboot.session.person import Person
from chainboot.settings import Settings

BOOTS = Autoboot(1, 50, default=1)
SETTINGS = Settings(network_wait=30, ssh_window=20, ssh_grace=30)


def sit(machine: Machine, person: Person = CONSOLE) -> Sitting:
    return Sitting(machine, person, settings=SETTINGS)


def look(sitting: Sitting, decided: Autoboot = BOOTS) -> Surroundings:
    return sitting.overview.look(decided, (), sitting.shared.looks())


@pytest.mark.parametrize(
    ("reach", "decided", "deadline_ds", "total_ds"),
    [
        (UNSERVED, Autoboot(1, 50), 50, None),
        (UNSERVED, Autoboot(1, 0), 0, None),
        (Reach("off: no key may log in"), Autoboot(1, 0), 0, None),
        (SERVED, Autoboot(1, 50), 200, None),
        (SERVED, Autoboot(1, 0), 200, None),
        (SERVED, Autoboot(1, 900), 900, None),
        (SERVED, Autoboot(1, None), None, None),
        (SERVED, Autoboot(1, None, total_timeout_ds=100), None, 200),
        (SERVED, Autoboot(1, 900, total_timeout_ds=3000), 900, 3000),
        (UNSERVED, Autoboot(1, 50, total_timeout_ds=30), 50, 30),
        (SERVED, Autoboot(None, 50, total_timeout_ds=30), None, None),
    ],
)
def test_the_window_has_a_floor_where_ssh_is_served(
    tmp_path: Path, reach: Reach, decided: Autoboot, deadline_ds: int | None, total_ds: int | None
) -> None:
    seen = look(sit(Machine(tmp_path, reach=reach)), decided)
    assert (seen.deadline_ds, seen.total_deadline_ds) == (deadline_ds, total_ds)


@pytest.mark.parametrize(
    ("reach", "waiting"),
    [
        (NO_NETWORK, "the network is not up yet"),
        (Reach("starting"), "the network is not up yet"),
        (NOT_LISTENING, "SSH does not answer yet"),
    ],
)
def test_the_countdown_waits_for_ssh_but_not_for_ever(tmp_path: Path, reach: Reach, waiting: str) -> None:
    machine = Machine(tmp_path, reach=reach)
    here = sit(machine)
    for machine.now in (0, 100, 299):
        assert (look(here).deadline_ds, look(here).waiting) == (None, waiting)
    machine.now = 300
    assert (look(here).deadline_ds, look(here).waiting) == (500, "")


def test_a_network_that_was_started_late_has_its_time_all_the_same(tmp_path: Path) -> None:
    machine = Machine(tmp_path, reach=replace(NO_NETWORK, started=45))
    here = sit(machine)
    for machine.now in (450, 749):
        assert look(here).waiting == "the network is not up yet"
    machine.now = 750
    assert look(here).waiting == ""


def test_the_countdown_begins_when_ssh_answers(tmp_path: Path) -> None:
    machine = Machine(tmp_path, reach=NO_NETWORK)
    here = sit(machine)
    look(here)
    machine.now, machine.reach = 120, SERVED
    assert look(here).deadline_ds == 320
    machine.now, machine.reach = 130, NO_NETWORK
    seen = look(here)
    assert (seen.deadline_ds, seen.waiting) == (320, ""), "a network that goes again does not stop it"


def test_every_view_shows_the_same_countdown(tmp_path: Path) -> None:
    machine = Machine(tmp_path, reach=SERVED)
    first = look(sit(machine)).deadline_ds
    machine.now = 70
    assert look(sit(machine, VERA)).deadline_ds == first


def test_somebody_over_ssh_holds_everything_and_the_grace_period_follows(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here, anna = sit(machine), sit(machine, ANNA)
    both = Autoboot(1, 50, total_timeout_ds=400, default=1)
    assert look(here, both).total_deadline_ds == 400
    anna.presence.attach()
    machine.now = 10
    assert look(here, both) == Surroundings(others=(ANNA.name,))
    assert look(anna, both).attached
    assert look(anna, both).total_deadline_ds is None
    anna.presence.detach()
    machine.now = 900
    seen = look(here, both)
    assert (seen.deadline_ds, seen.total_deadline_ds, seen.others) == (1200, 1200, ())


def test_somebody_at_a_console_does_not_hold_the_total_timeout(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here, there = sit(machine), sit(machine)
    both = Autoboot(1, 50, total_timeout_ds=400, default=1)
    there.presence.attach()
    assert (look(here, both).deadline_ds, look(here, both).total_deadline_ds) == (None, 400)
    assert (look(there, both).deadline_ds, look(there, both).total_deadline_ds) == (None, 400)


def test_a_hold_is_somebody_who_needs_not_be_here(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here = sit(machine)
    with elsewhere(lambda: sit(machine, ANNA).presence.hold()) as child:
        kill(child)
    both = Autoboot(1, 50, total_timeout_ds=400, default=1)
    assert look(here, both) == Surroundings(others=(f"{ANNA.name} (hold)",))
    here.presence.resume()
    assert (look(here, both).deadline_ds, look(here, both).total_deadline_ds) == (300, 400)


def test_a_killed_session_over_ssh_frees_the_countdown(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here = sit(machine)
    look(here)
    with elsewhere(lambda: sit(machine, ANNA).presence.attach()) as child:
        machine.now = 10
        assert look(here).others == (ANNA.name,)
        kill(child)
        machine.now = 20
        assert look(here).deadline_ds == 320


def test_a_view_without_anything_to_boot_does_not_stop_the_others(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    blind, here = sit(machine), sit(machine)
    nothing = Autoboot(None, None)
    assert look(blind, nothing).deadline_ds is None
    assert look(here).deadline_ds == 50
    look(blind, nothing)
    assert look(here).deadline_ds == 50


def test_after_an_entry_that_did_not_load_the_floor_is_not_waited_for_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path, reach=SERVED)
    here = sit(machine)
    look(here)
    machine.now = 200
    here.overview.restart(BOOTS)
    assert look(here).deadline_ds == 250
    assert here.shared.countdown(lambda before: before) == Countdown(250, None, started=True)


def test_the_banner_tells_who_one_is_and_how_to_come_here(tmp_path: Path) -> None:
    machine = Machine(tmp_path, reach=SERVED)
    shown = sit(machine, VERA).overview.look(BOOTS, ("a finding",), 0)
    assert shown.facts == (
        "You are vera from 192.0.2.11; this key may look.",
        "ssh root@192.0.2.7",
        "host key ED25519 SHA256:abc",
        "a finding",
    )
    assert sit(machine).overview.look(BOOTS, (), 0).facts == SERVED.facts()


def test_a_request_to_look_again_is_seen_by_whoever_has_not_looked_since(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here, there = sit(machine), sit(machine)
    assert not here.overview.look(BOOTS, (), 0).look_again
    there.shared.look_again()
    assert here.overview.look(BOOTS, (), 0).look_again
    assert not here.overview.look(BOOTS, (), 1).look_again


# -- leaving


def test_what_the_machine_is_about_to_do_is_told(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here, there = sit(machine), sit(machine)
    there.presence.claim_boot("anna boots")
    there.shared.leave("booting nixos-42-default", machine.now)
    assert look(here).leaving == "booting nixos-42-default"
    assert look(there).leaving == "booting nixos-42-default", "one's own claim is one"
    assert (tmp_path / "run/leaving").exists()


def test_what_the_dead_were_about_to_do_is_forgotten(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    here = sit(machine)

    def leave() -> None:
        there = sit(machine)
        there.presence.claim_boot("anna boots")
        there.shared.leave("booting nixos-42-default", machine.now)

    with elsewhere(leave) as child:
        assert look(here).leaving == "booting nixos-42-default"
        kill(child)
        assert look(here).leaving == ""
        assert not (tmp_path / "run/leaving").exists(), "else nobody would restart the SSH server"


def test_what_was_to_happen_long_ago_does_not_any_more(tmp_path: Path) -> None:
    """Whoever said so hangs, and still has the right to boot: the others must not lose SSH and their menus to that."""
    machine = Machine(tmp_path)
    here, there = sit(machine), sit(machine)
    machine.now = 5000
    there.presence.claim_boot("anna boots")
    there.shared.leave("booting nixos-42-default", machine.now)
    machine.now = 5000 + 1200
    assert look(here).leaving == "booting nixos-42-default"
    machine.now += 10
    assert look(here).leaving == ""
    assert not (tmp_path / "run/leaving").exists(), "else nobody would restart the SSH server"
    assert here.presence.boot_claimed()


def test_the_clock_is_the_one_of_the_kernel() -> None:
    before = clock()
    with open("/proc/uptime") as file:
        uptime = float(file.read().split()[0])
    assert abs(uptime * 10 - before) < 50
