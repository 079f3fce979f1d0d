"""A look at the disks: where there is no entry, what a journal still holds is looked for too, once."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import pytest
from nixos import usual_conf, write_root
from session.sessions import Machine

from chainboot.boot.discovery import Discovery
from chainboot.process import Completed, ProcessError
from chainboot.session.volumes import REPLAYED, look

READ_WRITE = ("mount", "-t", "ext4", "-o", "rw,nodev,nosuid,noexec", "/dev/vda")


def find(machine: Machine) -> Discovery:
    return look(
        machine.runner, runtime=machine.runtime, sys_block=str(machine.path / "sys"), mounts=str(machine.path / "m")
    )


def replays(machine: Machine) -> int:
    return sum(command[:6] == READ_WRITE for command in machine.commands)


def test_where_there_are_entries_no_journal_is_touched(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert len(find(machine).configurations) == 1
    assert replays(machine) == 0


class Crashed(Machine):
    """A machine whose configuration comes into sight once its disk is mounted writable."""

    def __init__(self, tmp_path: Path, *, sleeps: bool = False) -> None:
        (tmp_path / "m/vda").mkdir(parents=True)
        asleep = {"blkid -c": Completed((), 0, "/dev/vda2\n")} if sleeps else {}
        super().__init__(tmp_path)
        (self.disk / "extlinux").mkdir()
        self.runner.answers = {**asleep, **self.runner.answers}
        plain = self.runner.__call__

        def run(argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
            if tuple(argv[:6]) == READ_WRITE and not (self.disk / "boot").exists():
                write_root(self.disk, usual_conf())
            return plain(argv, check=check, timeout=timeout)

        self.run = run

    def find(self) -> Discovery:
        return look(self.run, runtime=self.runtime, sys_block=str(self.path / "sys"), mounts=str(self.path / "m"))


def test_what_only_the_journal_has_is_found_and_said(tmp_path: Path) -> None:
    machine = Crashed(tmp_path)
    found = machine.find()
    assert len(found.configurations) == 1
    assert found.problems[-1] == f"{REPLAYED} /dev/vda (ext4)"


def test_it_is_done_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "")
    assert find(machine).configurations[0].menu.entries == ()
    assert replays(machine) == 1
    find(machine)
    assert replays(machine) == 1


def test_not_under_a_system_that_hibernates(tmp_path: Path) -> None:
    machine = Crashed(tmp_path, sleeps=True)
    assert machine.find().configurations == ()
    assert replays(machine) == 0


def test_a_disk_that_nobody_boots_from_is_left_alone(tmp_path: Path) -> None:
    """It may be in use elsewhere now: to replay its journal here would damage it."""
    machine = Crashed(tmp_path)
    (machine.disk / "extlinux").rmdir()
    assert machine.find().configurations == ()
    assert replays(machine) == 0


@pytest.mark.parametrize("place", ["chainboot", "boot/chainboot", "boot/syslinux", "isolinux"])
def test_a_disk_with_a_loader_s_directory_is_one_to_boot_from(tmp_path: Path, place: str) -> None:
    machine = Crashed(tmp_path)
    (machine.disk / "extlinux").rmdir()
    (machine.disk / place).mkdir(parents=True)
    machine.find()
    assert replays(machine) == 1


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), ProcessError("no")], ids=["os", "program"])
def test_a_disk_that_cannot_be_written_costs_itself(tmp_path: Path, error: Exception) -> None:
    machine = Crashed(tmp_path)
    plain = machine.run

    def run(argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
        if tuple(argv[:6]) == READ_WRITE:
            raise error
        return plain(argv, check=check, timeout=timeout)

    machine.run = run
    assert machine.find().configurations == ()
