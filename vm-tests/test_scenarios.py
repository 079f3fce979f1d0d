"""Every file in vm-tests/scenarios, in QEMU: all of them on x86_64, and on s390x what is about IBM Z and a core.

CHAINBOOT_EVERY_SCENARIO=1 runs all of them on both (`make scenarios ARCH=s390x` does without pytest).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from chainboot_vm import power_cuts, run, scenario
from chainboot_vm.architecture import architecture
from chainboot_vm.sysroot import fetch

# What would tell first that a change has broken the other machine: a boot by itself, a refusal, the way over SSH, and a
# trial that ends well and one that does not.
CORE = ("default_entry", "not_a_kernel", "ssh_pick_generation", "trial_good", "trial_panics")


def wanted() -> list[tuple[str, str]]:
    """The scenarios and the machine of each."""
    every = "CHAINBOOT_EVERY_SCENARIO" in os.environ
    found = [(name, "x86_64") for name in scenario.names_for("x86_64")]
    for name in scenario.names_for("s390x"):
        if every or name in CORE or "x86_64" not in scenario.load(name).architectures:
            found.append((name, "s390x"))
    return found


@dataclass(frozen=True)
class Running:
    """The scenarios, and the power cuts in turn with them."""

    session: run.Session
    cuts: Future[power_cuts.Findings] | None


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """What was selected, running from the first test on; each test waits for its own."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    params = [item.callspec.params for item in items if item.originalname == "test_scenario"]
    selected = [(each["name"], each["machine"]) for each in params if _is_installed(each["machine"])]
    session = run.Session(selected, run.JOBS, lambda _: None)
    cuts = None
    if any(
        item.name == test_an_install_that_is_cut_off_anywhere_leaves_a_machine_that_starts.__name__ for item in items
    ):
        sysroot = fetch(architecture("s390x"), say=print)
        cuts = session.submit(lambda: power_cuts.check(sysroot, started=4, repeated=1, say=print))
    yield Running(session, cuts)
    session.close()


def _is_installed(machine: str) -> bool:
    return shutil.which(architecture(machine).qemu) is not None


@pytest.mark.vm
@pytest.mark.parametrize(("name", "machine"), wanted())
def test_scenario(name: str, machine: str, running: Running) -> None:
    if not _is_installed(machine):
        pytest.skip(f"{architecture(machine).qemu} is not installed")
    outcome = running.session.outcomes[name, machine].result()
    assert outcome.failure is None, outcome.failure


@pytest.mark.vm
@pytest.mark.skipif(not _is_installed("s390x"), reason="qemu-system-s390x is not installed")
def test_an_install_that_is_cut_off_anywhere_leaves_a_machine_that_starts(running: Running) -> None:
    """Every write is cut after and verified; few are started here, `make crash` starts more."""
    assert running.cuts is not None
    found = running.cuts.result()
    assert found.writes > 100
    assert 0 < found.commit < found.writes
