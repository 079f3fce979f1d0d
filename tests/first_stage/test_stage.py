"""The stage itself: nothing of it may stay behind, whatever a test did."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from first_stage.stage import eventually, make_stage


def test_what_takes_too_long_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage")
    for_ever = "(while :; do sleep 0.2; echo x >>/tmp/child; done) & while :; do sleep 0.2; echo x >>/tmp/shell; done"
    with pytest.raises(subprocess.TimeoutExpired):
        stage.run("/bin/sh", "-c", for_ever, seconds=1)
    assert stage.read("/tmp/child")
    assert stage.read("/tmp/shell")
    assert eventually(lambda: not inside(stage.root))


def inside(root: Path) -> list[str]:
    """The processes whose root this directory is."""
    found = []
    for number in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{number}/root") == str(root):
                found.append(number)
        except OSError:  # another user's, or it has ended
            continue
    return found
