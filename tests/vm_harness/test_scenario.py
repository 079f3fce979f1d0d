"""What a scenario file may say."""

from __future__ import annotations

import pytest

from chainboot.errors import ChainbootError, NotFoundError
from chainboot_vm import scenario
from chainboot_vm.access import ROLES
from chainboot_vm.additions import Additions
from chainboot_vm.qemu import Network
from chainboot_vm.scenario import Scenario


def test_every_scenario_can_be_loaded() -> None:
    assert scenario.names()
    for name in scenario.names():
        found = scenario.load(name)
        assert found.name == name
        assert found.summary


def run(machine: object) -> None:
    """Stands in for a scenario's steps."""


def read(**here: object) -> Scenario:
    return scenario.read("made_up", {"__doc__": "What it shows.\n\nMore.", "run": run, **here})


def test_a_file_that_says_the_least() -> None:
    found = read()
    assert (found.name, found.summary, found.run) == ("made_up", "What it shows.", run)
    assert (found.disks, found.consoles, found.networks) == ((), 1, ())
    assert not found.additions.any
    assert (found.clock, found.panic_store) == ("", False)


def test_a_network_brings_keys_for_every_role_and_a_host_key() -> None:
    found = read(NETWORKS=(Network(),))
    assert found.networks == (Network(),)
    assert found.additions == Additions({}, ROLES, host_key=True)


def test_what_a_scenario_may_choose() -> None:
    found = read(NETWORKS=(Network(),), KEYS=("admin",), HOST_KEY=False, SETTINGS={"ssh_window": 5, "ip": "dhcp"})
    assert found.additions == Additions({"ssh_window": 5, "ip": "dhcp"}, ("admin",), host_key=False)


def test_a_machine_has_a_watchdog_only_where_one_is_wanted() -> None:
    assert not read().watchdog
    assert read(WATCHDOG=True).watchdog


@pytest.mark.parametrize(
    ("here", "message"),
    [
        ({"__doc__": None}, "must have a docstring and run"),
        ({"run": 3}, "must have a docstring and run"),
        ({"CONSOLES": "2"}, "IMAGE, PARAMETERS or CONSOLES is of the wrong type"),
        ({"DISKS": [1]}, "DISKS must be a tuple of Disk"),
        ({"NETWORKS": True}, "NETWORKS must be a tuple of Network"),
        ({"KEYS": ("admin", 3)}, "KEYS must be a tuple of str"),
        ({"SETTINGS": "ssh_window=5"}, "SETTINGS must be a dict"),
    ],
)
def test_what_is_odd_is_told(here: dict[str, object], message: str) -> None:
    with pytest.raises(ChainbootError, match=f"^vm-tests/scenarios/made_up.py.*{message}"):
        read(**here)


def test_one_that_is_not_there() -> None:
    with pytest.raises(NotFoundError, match="there is no scenario nothing"):
        scenario.load("nothing")
