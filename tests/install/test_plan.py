"""The plan as `--dry-run` prints it, the menu for zipl, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from install.volumes import GIVEN, Box
from nixos import INITRD, KERNEL

from chainboot.boot.plan import Part
from chainboot.errors import RefusedError
from chainboot.install.disk import Disk
from chainboot.install.first_stage import SourceFile
from chainboot.install.layout import Layout
from chainboot.install.panic import PanicRule
from chainboot.install.plan import InstallPlan, NewStage, make_plan
from chainboot.install.skip import Skip
from chainboot.install.step import size_text
from chainboot.install.target import FirstStage, Install, Target
from chainboot.install.zipl_conf import Section, check_path, parameters_problem, zipl_conf

MIB = 1 << 20
NEW = NewStage(SourceFile("/a/kernel", 9 * MIB, b"k" * 32), SourceFile("/a/initrd", 20 * MIB, b"i" * 32), GIVEN, 4095)
DISK = Disk("/boot", "ext4", "/dev/dasda1", 500 * MIB, 4096)
LAYOUT = Layout("/boot")
SKIP = Skip("nixos-default", "/boot/n/k", 8 * MIB, (Part("/boot/n/i"),), 12 * MIB, "quiet")
A, B = "a" * 12, "b" * 12


def plan(
    new: NewStage = NEW,
    *,
    target: Target | None = None,
    disk: Disk = DISK,
    previous: FirstStage | None = None,
    skip: Skip | str = SKIP,
    free: int = 500 * MIB,
    damaged: bool = False,
) -> InstallPlan:
    target = target or Target(LAYOUT)
    return make_plan(new, disk, target, previous=previous, damaged=damaged, skip=skip, free=free, panic=PanicRule())


def test_the_plan_of_a_first_install() -> None:
    name = NEW.name
    assert name == "c00ac1507e82"
    assert (
        plan(skip="no extlinux configuration was found in /boot").describe()
        == f"""\
install first stage {name} with zipl on /boot (ext4, /dev/dasda1), number 1
  note: skip is left out: no extlinux configuration was found in /boot
  see that zipl is there:
    $ zipl --version
  prepare; the machine boots as before:
    make /boot/chainboot
    sync /boot
    make /boot/chainboot/first-stage
    sync /boot/chainboot
    make /boot/chainboot/zipl
    sync /boot/chainboot
    make /boot/chainboot/first-stage/{name}.new
    copy /a/kernel -> /boot/chainboot/first-stage/{name}.new/kernel (9.0 MiB)
    copy /a/initrd -> /boot/chainboot/first-stage/{name}.new/initrd (20.0 MiB)
    write /boot/chainboot/first-stage/{name}.new/parameters (55 bytes)
      console=ttysclp0 quiet chainboot.installed={name}
    sync /boot/chainboot/first-stage/{name}.new
    rename /boot/chainboot/first-stage/{name}.new -> /boot/chainboot/first-stage/{name}
    sync /boot/chainboot/first-stage
    make /boot/chainboot/zipl/1
    write /boot/chainboot/zipl/1/first-stage (13 bytes)
      {name}
    write /boot/chainboot/zipl/1/zipl.conf (414 bytes)
      # Written by `chainboot install`: the next install writes another one.
      [defaultboot]
      defaultmenu=chainboot

      :chainboot
      target="/boot/chainboot/zipl/1"
      1=chainboot
      default=1
      prompt=1
      timeout=5

      [chainboot]
      target="/boot/chainboot/zipl/1"
      image="/boot/chainboot/first-stage/{name}/kernel"
      ramdisk="/boot/chainboot/first-stage/{name}/initrd"
      parmfile="/boot/chainboot/first-stage/{name}/parameters"
    sync /boot/chainboot/zipl/1
    sync /boot/chainboot/zipl
    $ chattr +SD /boot/chainboot/zipl/1
  rehearse; the machine boots as before:
    $ zipl --noninteractive --config=/boot/chainboot/zipl/1/zipl.conf --blsdir=/dev/null --dry-run
  write the boot record:
    $ zipl --noninteractive --config=/boot/chainboot/zipl/1/zipl.conf --blsdir=/dev/null
    $ sync
  note that it is there:
    write /boot/chainboot/first-stage/{name}/installed (2 bytes)
      1
    sync /boot/chainboot/first-stage/{name}
  then:
    default, LOADPARM 1 (chainboot): first stage {name}
    LOADPARM 2: nothing, there is no other first stage
    LOADPARM 3: nothing
"""
    )


def test_the_plan_of_a_later_install() -> None:
    old, bad = FirstStage(A, 3, True, "x"), FirstStage(B, 7, False, "x")
    target = Target(
        LAYOUT,
        (old, bad, FirstStage("c" * 12, 0, False, "x")),
        (Install(7, True, frozenset({A, B})), Install(8, False, None)),
        rests=("/boot/chainboot/first-stage/cccccccccccc.new",),
        damaged=("/boot/chainboot/first-stage/dddddddddddd.damaged-5",),
        present=frozenset({LAYOUT.own, LAYOUT.first_stages, LAYOUT.installs}),
    )
    found = plan(target=target, previous=old)
    shown = found.describe()
    unreachable = ("first-stage/cccccccccccc.new", "zipl/8", "first-stage/cccccccccccc")
    removed = "".join(f"    remove /boot/chainboot/{name}\n" for name in unreachable)
    start = "number 9\n  see that zipl is there:\n    $ zipl --version\n  remove what nothing leads to:\n"
    assert f"{start}{removed}  prepare; " in shown
    assert (
        f"""\
  remove what the disk leads to no more:
    remove /boot/chainboot/zipl/7
    remove /boot/chainboot/first-stage/{B}
    remove /boot/chainboot/first-stage/dddddddddddd.damaged-5
  then:
    default, LOADPARM 1 (chainboot): first stage {NEW.name}
    LOADPARM 2 (chainboot-previous): first stage {A}, which has loaded an entry here
    LOADPARM 3 (skip): nixos-default, without chainboot
"""
        in shown
    )
    assert (
        """\
    link /boot/n/k -> /boot/chainboot/zipl/9/skip-kernel (8.0 MiB)
    link /boot/n/i -> /boot/chainboot/zipl/9/skip-initrd (12.0 MiB)
    write /boot/chainboot/zipl/9/skip-parameters (5 bytes)
      quiet
    write /boot/chainboot/zipl/9/first-stage (13 bytes)
"""
        in shown
    )
    assert "of which it is not known whether it works" in plan(target=target, previous=bad).describe()


def test_numbers_of_the_menu_stay_when_an_entry_is_missing() -> None:
    shown = plan().describe()
    assert "      1=chainboot\n      3=skip\n" in shown


def test_several_initrds_become_one() -> None:
    skip = Skip("x", "/boot/k", 5, (Part("/boot/i1"), Part("/boot/i2", 64)), 24, "")
    shown = plan(skip=skip).describe()
    assert (
        "    cat /boot/i1 <(tail -c +65 /boot/i2) > /boot/chainboot/zipl/1/skip-initrd  # each padded to 4 (24 bytes)\n"
    ) in shown
    assert "skip-parameters" not in shown, "zipl needs no file where there are none"


def test_without_hard_links_files_are_copied() -> None:
    shown = plan(disk=Disk("/boot", "vfat", "/dev/vda1", 500 * MIB, 4096)).describe()
    assert "    copy /boot/n/k -> /boot/chainboot/zipl/1/skip-kernel (8.0 MiB)\n" in shown


def test_control_characters_do_not_reach_a_terminal() -> None:
    skip = Skip("evil\x1b[2J", "/boot/\x1bk", 5, (), 0, "a\x1bb")
    shown = plan(skip=skip).describe()
    assert "\x1b" not in shown
    assert "LOADPARM 3 (skip): evil\ufffd[2J" in shown


def test_too_little_room_is_refused_before_anything_is_made() -> None:
    with pytest.raises(RefusedError) as refused:
        plan(free=29 * MIB)
    assert refused.value.message == "/boot has 29.0 MiB free, and 33.1 MiB are needed"
    assert plan(free=34 * MIB)
    same = Target(LAYOUT, (FirstStage(NEW.name, 1, True, GIVEN),), (Install(1, True, frozenset({NEW.name})),))
    assert plan(target=same, free=6 * MIB), "what is there already needs no room"
    with pytest.raises(RefusedError):
        plan(target=same, free=6 * MIB, damaged=True)


@pytest.mark.parametrize(
    ("limit", "most", "whose"), [(4095, 895, "zipl"), (None, 895, "zipl"), (700, 700, "this kernel")]
)
def test_the_parameters_stay_under_every_limit(limit: int | None, most: int, whose: str) -> None:
    room = most - len(" chainboot.installed=0123456789ab")
    assert plan(NewStage(NEW.kernel, NEW.initrd, "x" * room, limit))
    with pytest.raises(RefusedError) as refused:
        plan(NewStage(NEW.kernel, NEW.initrd, "x" * (room + 1), limit))
    assert refused.value.message == (f"the parameters have {most + 1} bytes, and {whose} takes {most}: {'x' * 40}...")
    assert refused.value.hint == "shorten them with --parameters; settings of ours can go into the initrd"


def test_the_limit_counts_bytes() -> None:
    assert parameters_problem("é" * 447, None) is None
    assert parameters_problem("é" * 448, None) == f"the parameters have 896 bytes, and zipl takes 895: {'é' * 40}..."


@pytest.mark.parametrize(
    ("path", "shown"),
    [('/a"b', '"'), ("/a'b", "'"), ("/a,b", ","), ("/a\nb", "a control character"), ("/a\x1bb", "a control character")],
)
def test_a_path_that_zipl_would_misread_is_refused(path: str, shown: str) -> None:
    with pytest.raises(RefusedError) as refused:
        check_path(path)
    assert refused.value.message == f"zipl cannot use {path}: the name holds {shown}"
    with pytest.raises(RefusedError):
        zipl_conf("/t", (Section(1, "chainboot", path, "", ""),))


def test_a_path_with_blanks_or_of_another_alphabet_is_none_of_zipls_business() -> None:
    check_path("/mnt/my disk/Boot=ü\\\udcff[x]#:")
    assert 'image="/mnt/my disk"' in zipl_conf("/t", (Section(1, "chainboot", "/mnt/my disk", "", ""),))


def test_sizes() -> None:
    assert [size_text(size) for size in (5, 131071, 131072, 9 * MIB + 100000)] == [
        "5 bytes", "131071 bytes", "0.1 MiB", "9.1 MiB",
    ]  # fmt: skip


def test_a_dry_run_prints_what_a_real_one_does_and_changes_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path)
    before = sorted(os.walk(box.boot))
    first = box.install("a", dry_run=True)
    assert (sorted(os.walk(box.boot)), box.runs) == (before, [])
    box.install("a")
    said = [line.strip() for line in first.splitlines()]
    order = [said.index(line) for line in box.said]
    assert order == sorted(order)
    box.prove(box.id_of(1))
    tree = box.tree()
    second = box.install("b", dry_run=True)
    assert box.tree() == tree
    box.install("b")
    said = [line.strip() for line in second.splitlines()]
    order = [said.index(line) for line in box.said]
    assert order == sorted(order)
    steps = [
        line for line in said if line.startswith(("make ", "copy ", "link ", "write ", "rename ", "$ ", "remove "))
    ]
    headings = {"write the boot record:", "remove what the disk leads to no more:"}
    assert [line for line in steps if line not in headings] == box.said[:-3]


def test_kernel_and_initrd_of_skip_are_the_default_entrys(tmp_path: Path) -> None:
    box = Box(tmp_path)
    shown = box.install("a", dry_run=True)
    place = f"{box.boot}/chainboot/zipl/1"
    assert f"    link {box.boot}/nixos/{KERNEL} -> {place}/skip-kernel (102400 bytes)\n" in shown
    assert f"    link {box.boot}/nixos/{INITRD} -> {place}/skip-initrd (6000 bytes)\n" in shown
