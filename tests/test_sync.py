"""What brings a name to the disk, and in which order."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from chainboot.sync import checkpoint, sync_directory, sync_renamed


def test_the_directory_comes_before_the_file_that_was_renamed() -> None:
    synced: list[int] = []
    sync_renamed(synced.append, 5, 9)
    assert synced == [5, 9]


def test_a_directory_that_cannot_be_synced_does_not_keep_the_file_from_it() -> None:
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        if descriptor == 5:
            raise OSError(errno.EINVAL, "Invalid argument")
        synced.append(descriptor)

    sync_directory(sync, 5)
    sync_renamed(sync, 5, 9)
    assert synced == [9]


@pytest.mark.parametrize("failing", [5, 9])
def test_any_other_error_is_one(failing: int) -> None:
    def sync(descriptor: int) -> None:
        if descriptor == failing:
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        sync_renamed(sync, 5, 9)


def test_a_checkpoint_is_for_those_who_have_a_journal(tmp_path: Path) -> None:
    for path in (str(tmp_path), "/proc", "/dev/null"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            checkpoint(descriptor)
        finally:
            os.close(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        checkpoint(descriptor)
