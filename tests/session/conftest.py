"""Fixtures of the tests of the menu."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from session.emulator import Pty


@pytest.fixture
def pty() -> Iterator[Pty]:
    terminal = Pty()
    yield terminal
    terminal.close()
