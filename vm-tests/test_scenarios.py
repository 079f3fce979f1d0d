"""Every file in vm-tests/scenarios, in QEMU."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from chainboot_vm import run, scenario
from chainboot_vm.architecture import architecture

ARCHITECTURE = architecture("x86_64")


@pytest.fixture(scope="session")
def session(request: pytest.FixtureRequest) -> Iterator[run.Session]:
    """The scenarios that were selected, running from the first test on; each test waits for its own."""
    selected = [item.callspec.params["name"] for item in request.session.items if _is_scenario(item)]
    made = run.Session(ARCHITECTURE, selected, run.JOBS, lambda _: None)
    yield made
    made.close()


def _is_scenario(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and item.originalname == "test_scenario"


@pytest.mark.vm
@pytest.mark.skipif(shutil.which(ARCHITECTURE.qemu) is None, reason=f"{ARCHITECTURE.qemu} is not installed")
@pytest.mark.parametrize("name", scenario.names())
def test_scenario(name: str, session: run.Session) -> None:
    outcome = session.outcomes[name].result()
    assert outcome.failure is None, outcome.failure
