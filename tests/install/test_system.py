"""The one system call that Python has no function for, on a real file system."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from chainboot.install.system import DIRSYNC_FLAG, SYNC_FLAG, SYSTEM


def test_new_files_of_a_directory_are_written_through(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        SYSTEM.add_flags(descriptor, SYNC_FLAG | DIRSYNC_FLAG)
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EPERM):
            raise
        pytest.skip("this file system has no such flags")
    finally:
        os.close(descriptor)
    (tmp_path / "new").touch()
    said = subprocess.run(["lsattr", "-d", tmp_path, tmp_path / "new"], capture_output=True, text=True, check=False)
    if said.returncode == 0:
        flags = [line.split()[0] for line in said.stdout.splitlines()]
        assert ("S" in flags[0], "D" in flags[0], "S" in flags[1]) == (True, True, True)
