"""What is made to hurt does not: memory and time stay bounded on every configuration in hostile.py."""

from __future__ import annotations

import subprocess
import sys

import pytest
from extlinux import hostile


@pytest.mark.parametrize("name", hostile.CASES)
def test_a_hostile_configuration_is_read_within_its_limits(name: str) -> None:
    done = subprocess.run([sys.executable, hostile.__file__, name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.startswith(name)
