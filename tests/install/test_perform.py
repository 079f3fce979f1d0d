"""Installing: whatever fails and whenever the power goes, the machine starts something that is whole."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from install.volumes import GIVEN, Box, BrokenRecordError, Faults, PowerCut, Zipl

from chainboot.errors import ChainbootError, RefusedError
from chainboot.install.layout import is_number
from chainboot.process import Completed, ProcessError
from chainboot.settings import is_identifier


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def steps(box: Box) -> list[str]:
    """The calls of an install of `b` on a machine that has `a`, in order."""
    other = Box(box.top / "other")
    other.install("a")
    faults = Faults()
    other.install("b", faults=faults)
    return faults.calls


def test_a_first_install(box: Box) -> None:
    box.install("a")
    name = box.id_of(1)
    assert box.boots(1, "a")
    assert box.starts(1)[1] == f"{GIVEN} chainboot.installed={name}"
    assert box.starts(3)[1].startswith("init=/nix/store/")
    assert sorted(box.tree()) == [
        ".lock",
        *(f"first-stage/{name}/{file}" for file in ("initrd", "installed", "kernel", "parameters")),
        *(f"zipl/1/{file}" for file in ("bootmap", "first-stage", "skip-initrd", "skip-kernel", "skip-parameters")),
        "zipl/1/zipl.conf",
    ]
    modes = {file.stat().st_mode & 0o77 for file in (box.boot / "chainboot").rglob("*") if "skip-" not in file.name}
    assert modes - {0o44} == {0}, "an initrd may hold a private key"


def test_the_second_install_keeps_the_first(box: Box) -> None:
    box.install("a")
    first = box.id_of(1)
    box.install("b")
    assert box.boots(1, "b")
    assert box.boots(2, "a")
    assert box.id_of(2) == first
    assert box.names("zipl") == ["2"]
    assert len(box.names("first-stage")) == 2


def test_two_bad_ones_in_a_row_keep_the_one_that_worked(box: Box) -> None:
    box.install("good")
    box.prove(box.id_of(1))
    for name in ("bad", "worse", "worst"):
        box.install(name)
        assert box.boots(1, name)
        assert box.boots(2, "good")
        assert len(box.names("first-stage")) == 2


def test_the_newest_that_is_proved_is_kept(box: Box) -> None:
    for name in ("a", "b"):
        box.install(name)
        box.prove(box.id_of(1))
    box.install("c")
    assert box.boots(2, "b")
    box.install("a")  # again: it is the new one now
    assert box.boots(1, "a")
    assert box.boots(2, "b")


def test_without_a_proved_one_the_newest_that_was_installed_is_kept(box: Box) -> None:
    for name in ("a", "b", "c"):
        box.install(name)
    assert box.boots(2, "b")


def test_the_same_again_changes_no_file_of_it(box: Box) -> None:
    box.install("a")
    box.install("b")
    name = box.id_of(1)
    inode = (box.boot / f"chainboot/first-stage/{name}/kernel").stat().st_ino
    box.install("b")
    assert (box.id_of(1), box.boots(2, "a")) == (name, True)
    assert (box.boot / f"chainboot/first-stage/{name}/kernel").stat().st_ino == inode
    assert not any("initrd ->" in line and "first-stage" in line for line in box.said)


def test_a_damaged_one_is_made_anew_and_the_damaged_one_stays_until_the_record_is_written(box: Box) -> None:
    box.install("a")
    home = box.boot / f"chainboot/first-stage/{box.id_of(1)}"
    (home / "initrd").write_bytes(b"070701")
    box.block = None  # it is broken, and that is not our doing

    class Looks(Zipl):
        def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
            assert (home.parent / f"{home.name}.damaged-2/initrd").exists() or "--version" in argv
            return super().__call__(argv, check=check, timeout=timeout)

    box.install("a", zipl=Looks)
    assert box.boots(1, "a")
    assert box.names("first-stage") == [home.name]


def test_a_damaged_one_is_not_kept_as_previous(box: Box) -> None:
    box.install("a")
    box.install("b")
    home = box.boot / f"chainboot/first-stage/{box.id_of(1)}"
    (home / "kernel").write_bytes(b"")
    box.block = None
    box.install("c")
    assert box.boots(2, "a")


# Every call of an install, stopped.


def stopped(box: Box, at: int, *, late: bool) -> bool:
    """Install `b` until the power goes at call `at`; False where the install ends before."""
    try:
        box.install("b", faults=Faults(at, PowerCut(), late))
    except PowerCut:
        return True
    return False


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_after_a_power_cut_the_machine_starts_the_old_one_or_the_new_one(box: Box, late: bool) -> None:
    box.install("a")
    before = box.block
    kept = box.top / "kept"
    order = steps(box)
    record = order.index("zipl block")
    shutil.copytree(box.boot, kept, copy_function=os.link)
    for at in range(len(order)):
        # The same inodes as before, and not what the last round has left.
        shutil.rmtree(box.boot / "chainboot")
        shutil.copytree(kept / "chainboot", box.boot / "chainboot", copy_function=os.link)
        box.block = before
        assert stopped(box, at, late=late), at
        written = at > record or (late and at == record)
        assert box.boots(1, "b" if written else "a"), order[at]
        assert box.starts(3)
        # What the next install cleans up is not what it needs, and it starts what it says.
        box.install("c")
        assert box.boots(1, "c")
        assert box.boots(2, "a") or (written and box.boots(2, "b"))
        assert len(box.names("first-stage")) == 2
        assert len(box.names("zipl")) == 1
    assert not stopped(box, 1000, late=late)


def test_after_two_power_cuts_in_a_row(box: Box) -> None:
    box.install("a")
    before = box.block
    kept = box.top / "kept"
    order = steps(box)
    shutil.copytree(box.boot, kept, copy_function=os.link)
    for first in range(0, len(order), 7):
        for second in range(first % 9, len(order) + 20, 9):
            shutil.rmtree(box.boot / "chainboot")
            shutil.copytree(kept / "chainboot", box.boot / "chainboot", copy_function=os.link)
            box.block = before
            assert stopped(box, first, late=True)
            try:
                box.install("c", faults=Faults(second, PowerCut()))
            except PowerCut:
                box.check()
            box.install("d")
            assert box.boots(1, "d")
            assert len(box.names("first-stage")) == 2


def test_what_is_removed_only_in_part_is_not_taken_for_whole(box: Box) -> None:
    box.install("a")
    box.install("b")
    before = box.block
    kept = box.top / "kept"
    shutil.copytree(box.boot, kept, copy_function=os.link)
    faults = Faults()
    box.install("c", faults=faults)
    for at in range(faults.calls.index("sync all"), len(faults.calls)):
        shutil.rmtree(box.boot / "chainboot")
        shutil.copytree(kept / "chainboot", box.boot / "chainboot", copy_function=os.link)
        box.block = before
        with pytest.raises(PowerCut):
            box.install("c", faults=Faults(at, late=True))
        for name in (name for name in box.names("first-stage") if is_identifier(name)):
            assert {"kernel", "initrd", "parameters"} <= set(box.names(f"first-stage/{name}")), faults.calls[at]
        for name in (name for name in box.names("zipl") if is_number(name)):
            assert {"bootmap", "first-stage", "zipl.conf"} <= set(box.names(f"zipl/{name}")), faults.calls[at]


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_a_call_that_fails_before_the_record_leaves_what_was_there(box: Box, late: bool) -> None:
    box.install("a")
    before, tree = box.block, box.tree()
    order = steps(box)
    for at in range(order.index("zipl unlink") + 1):
        faults = Faults(at, OSError(errno.EIO, "Input/output error"), late)
        if order[at] == "flags":  # a file system that has none: no failure
            continue
        with pytest.raises(ChainbootError) as refused:
            box.install("b", faults=faults)
        assert "the machine boots as before" in refused.value.message, order[at]
        assert (box.block, box.tree()) == (before, tree), (at, order[at], late)
    box.install("b")
    assert box.boots(1, "b")
    assert box.boots(2, "a")


def test_a_call_that_fails_while_the_record_is_written_removes_nothing(box: Box) -> None:
    order = steps(box)
    for at in range(order.index("zipl rename", order.index("zipl unlink")), order.index("sync all") + 1):
        other = Box(box.top / str(at))
        other.install("a")
        with pytest.raises(RefusedError) as refused:
            other.install("b", faults=Faults(at, OSError(errno.EIO, "Input/output error")))
        assert refused.value.message.endswith(
            "the machine may start the old first stage or the new one, and both are complete"
        )
        assert refused.value.hint == "nothing was removed: run it again"
        assert other.names("zipl") == ["1", "2"]
        other.check()
        other.install("b")
        assert (other.boots(1, "b"), other.boots(2, "a"), other.names("zipl")) == (True, True, ["3"])


def test_what_cannot_be_removed_afterwards_is_no_failure(box: Box) -> None:
    box.install("a")
    box.install("b")
    box.install("c", faults=Faults(0, OSError(errno.EIO, "Input/output error"), only="unlink"))
    assert box.boots(1, "c")
    assert any(line.endswith(": input/output error; the next install tries again") for line in box.said)
    box.install("d")
    assert (len(box.names("zipl")), len(box.names("first-stage"))) == (1, 2)


def test_an_interrupt_before_the_record_leaves_what_was_there(box: Box) -> None:
    box.install("a")
    tree = box.tree()
    for only in ("create", "rename", "link", "zipl create"):
        with pytest.raises(KeyboardInterrupt):
            box.install("b", faults=Faults(0, KeyboardInterrupt(), only=only))
        assert box.tree() == tree


def test_an_interrupt_while_the_record_is_written_says_how_things_stand(box: Box) -> None:
    box.install("a")
    with pytest.raises(KeyboardInterrupt):
        box.install("b", faults=Faults(0, KeyboardInterrupt(), only="zipl block"))
    assert box.said[-1] == (
        "the machine may start the old first stage or the new one, and both are complete; "
        "nothing was removed: run it again"
    )
    assert box.boots(1, "a")


def test_a_disk_that_is_full_all_the_same(box: Box) -> None:
    box.install("a")
    tree = box.tree()
    with pytest.raises(RefusedError) as refused:
        box.install("b", faults=Faults(1, OSError(errno.ENOSPC, "No space left on device"), only="write"))
    assert refused.value.message.endswith("no space left on device; the machine boots as before")
    assert refused.value.hint == "make room on the boot volume"
    assert box.tree() == tree


def test_zipl_is_not_there(box: Box) -> None:
    class Missing(Zipl):
        def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
            raise ProcessError("zipl is not installed", hint=f"needed for: {argv} {check} {timeout}")

    with pytest.raises(RefusedError) as refused:
        box.install("a", zipl=Missing)
    assert (refused.value.message, refused.value.hint) == (
        "zipl is not installed; the machine boots as before", "zipl belongs to s390-tools",
    )  # fmt: skip
    assert box.tree() == {".lock": b""}


def test_a_disk_that_zipl_does_not_know_is_found_in_the_rehearsal(box: Box) -> None:
    class Refuses(Zipl):
        def install(self, target: Path, menu: dict[int, dict[str, str]], *, dry_run: bool) -> None:
            assert (dry_run, sorted(menu), target.name) == (True, [1, 3], "1")
            raise OSError(errno.ENODEV, "Unsupported device driver")

    with pytest.raises(RefusedError) as refused:
        box.install("a", zipl=Refuses)
    assert refused.value.message == "zipl exited with 1: Unsupported device driver; the machine boots as before"
    assert box.tree() == {".lock": b""}


def test_a_kernel_that_changes_while_it_is_copied(box: Box) -> None:
    class Changes(Zipl):
        def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
            Path(self.box.top / "a-kernel").write_bytes(b"new")
            return super().__call__(argv, check=check, timeout=timeout)

    with pytest.raises(RefusedError) as refused:
        box.install("a", zipl=Changes)
    assert refused.value.message == (f"{box.top}/a-kernel was changed while it was copied; the machine boots as before")
    assert box.tree() == {".lock": b""}


def test_a_file_system_without_flags_is_told_of(box: Box) -> None:
    class Forgets(Zipl):
        def install(self, target: Path, menu: dict[int, dict[str, str]], *, dry_run: bool) -> None:
            self.system.through.add(str(target))
            super().install(target, menu, dry_run=dry_run)

    class Twice(Faults):
        def step(self, name: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
            if name == "flags":
                raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
            return super().step(name)

    box.install("a", faults=Twice(), zipl=Forgets)
    assert box.boots(1, "a")
    assert any("cannot write through" in line for line in box.said)


def test_where_links_fail_files_are_copied(box: Box) -> None:
    box.install("a", faults=Faults(0, OSError(errno.EPERM, "Operation not permitted"), only="link"))
    assert box.starts(3)
    skip = box.boot / "chainboot/zipl/1/skip-kernel"
    assert skip.stat().st_nlink == 1


def test_the_entry_that_skip_starts_survives_its_generation(box: Box) -> None:
    box.install("a")
    shutil.rmtree(box.boot / "nixos")
    assert box.starts(3)


def test_the_test_itself_notices_what_is_gone(box: Box) -> None:
    box.install("a")
    (box.boot / "chainboot/zipl/1/bootmap").unlink()
    with pytest.raises(BrokenRecordError):
        box.check()


def test_one_install_at_a_time(box: Box) -> None:
    class Second(Zipl):
        def __call__(self, argv: Sequence[str], *, check: bool, timeout: float | None = None) -> Completed:
            with pytest.raises(RefusedError) as refused:
                self.box.install("b")
            assert refused.value.message == "another install is at work on this volume"
            self.box.said.append("refused")
            return super().__call__(argv, check=check, timeout=timeout)

    box.install("a", zipl=Second)
    assert "refused" in box.said
    assert box.boots(1, "a")
    box.install("b")
    assert box.boots(1, "b")
