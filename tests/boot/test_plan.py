"""The plan is data, and what --dry-run prints is what would run."""

from __future__ import annotations

from pathlib import Path

import pytest
from nixos import INITRD, KERNEL, SYSTEM, usual_conf, write_root

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.kexec import concatenate
from chainboot.boot.plan import PATIENCE, Command, Concatenate, EndSessions, Part, make_plan, make_power_plan
from chainboot.boot.volume import Volume, read_configuration
from chainboot.errors import RefusedError


def read(root: Path) -> Candidate:
    return candidates([read_configuration(Volume(str(root), "disk"), "/boot/extlinux/extlinux.conf")])[0]


def test_one_initrd_is_handed_over_as_it_is(nixos_root: Path) -> None:
    plan = make_plan(read(nixos_root), machine="x86_64", unmount=("/run/chainboot/volumes/vda",))
    nixos = f"{nixos_root}/boot/nixos"
    assert plan.load == (
        Command(
            (
                "kexec",
                "-a",
                "-l",
                f"{nixos}/{KERNEL}",
                f"--initrd={nixos}/{INITRD}",
                f"--command-line=init={SYSTEM}/init console=ttyS0,115200 loglevel=4",
            )
        ),
    )
    assert plan.teardown == (Command(("umount", "/run/chainboot/volumes/vda")),)
    assert plan.execute == (Command(("kexec", "-e")),)


def test_the_description_shows_every_step_in_order(tmp_path: Path) -> None:
    root = write_root(
        tmp_path / "disk", f"LABEL x\nMENU LABEL X\x1b[2J\nLINUX ../nixos/{KERNEL}\nINITRD ../nixos/a,../nixos/b\n"
        "APPEND a='b' $c\n"
    )  # fmt: skip
    for name in ("a", "b"):
        (root / "boot/nixos" / name).write_text(name)
    plan = make_plan(read(root), machine="x86_64", unmount=("/m",))
    nixos = f"{root}/boot/nixos"
    assert plan.describe() == (
        "boot x: X\N{REPLACEMENT CHARACTER}[2J\n"
        "  load:\n"
        f"    cat {nixos}/a {nixos}/b > /run/chainboot/initrd  # each padded to 4\n"
        f"    kexec -a -l {nixos}/{KERNEL} --initrd=/run/chainboot/initrd "
        "'--command-line=a='\"'\"'b'\"'\"' $c'\n"
        "  teardown:\n"
        "    umount /m\n"
        "  execute:\n"
        "    kexec -e\n"
    )


def test_several_initrds_are_joined_in_order(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", f"LABEL x\nLINUX ../nixos/{KERNEL}\nINITRD ../nixos/b,../nixos/a\n")
    for name in ("a", "b"):
        (root / "boot/nixos" / name).write_text(name)
    plan = make_plan(read(root), machine="x86_64", runtime="/r")
    assert plan.load[0] == Concatenate((Part(f"{root}/boot/nixos/b"), Part(f"{root}/boot/nixos/a")), "/r/initrd")


def test_a_device_tree_is_for_machines_that_have_one(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", f"LABEL x\nLINUX ../nixos/{KERNEL}\nFDT ../nixos/{KERNEL}\n")
    loads = {machine: make_plan(read(root), machine=machine).load[0].describe() for machine in ("aarch64", "x86_64")}
    assert f"--dtb={root}/boot/nixos/{KERNEL}" in loads["aarch64"]
    assert "--dtb" not in loads["x86_64"]


def test_an_edited_command_line_replaces_the_entry_s(nixos_root: Path) -> None:
    plan = make_plan(read(nixos_root), cmdline="single", machine="x86_64")
    assert plan.load[-1].describe().endswith("--command-line=single")
    empty = make_plan(read(nixos_root), cmdline="", machine="x86_64")
    assert empty.load[-1].describe().endswith("--command-line=")


def test_a_running_system_is_shut_down_in_order(nixos_root: Path) -> None:
    assert make_plan(read(nixos_root), machine="x86_64", systemd=True).execute == (Command(("systemctl", "kexec")),)


def test_sessions_end_before_anything_is_taken_down(nixos_root: Path) -> None:
    plan = make_plan(read(nixos_root), machine="x86_64", unmount=("/a", "/b"), sessions=True)
    assert plan.teardown == (EndSessions(PATIENCE), Command(("umount", "/a")), Command(("umount", "/b")))
    assert (
        "  teardown:\n"
        "    # end the SSH sessions, which are told; after 5 s whatever is left; stop the server\n"
        "    umount /a\n"
    ) in plan.describe()
    assert make_plan(read(nixos_root), machine="x86_64").teardown == ()


@pytest.mark.parametrize(
    ("verb", "title"),
    [("reboot", "the machine restarts"), ("poweroff", "the machine switches itself off")],
)
def test_a_restart_loads_nothing(verb: str, title: str) -> None:
    plan = make_power_plan(verb)
    assert plan.describe() == (
        f"boot {verb}: {title}\n"
        "  teardown:\n"
        "    # end the SSH sessions, which are told; after 5 s whatever is left; stop the server\n"
        "  execute:\n"
        f"    {verb} -f\n"
    )
    assert plan.load == ()


def test_what_cannot_be_booted_has_no_plan(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", usual_conf())
    (root / "boot/nixos" / KERNEL).unlink()
    with pytest.raises(RefusedError) as raised:
        make_plan(read(root), machine="x86_64")
    assert str(raised.value) == (
        f"/boot/extlinux/extlinux.conf:9:1: nixos-default cannot be booted: kernel: /boot/nixos/{KERNEL} does not exist"
    )


def test_the_header_of_a_uinitrd_is_left_out(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", f"LABEL x\nLINUX ../nixos/{KERNEL}\nINITRD ../nixos/uInitrd\n")
    (root / "boot/nixos/uInitrd").write_bytes(b"\x27\x05\x19\x56" + bytes(60) + b"cpio")
    plan = make_plan(read(root), machine="x86_64", runtime=str(tmp_path / "run"))
    step = plan.load[0]
    assert step == Concatenate((Part(f"{root}/boot/nixos/uInitrd", 64),), f"{tmp_path}/run/initrd")
    assert step.describe() == (
        f"cat <(tail -c +65 {root}/boot/nixos/uInitrd) > {tmp_path}/run/initrd  # each padded to 4"
    )
    concatenate(step)
    assert (tmp_path / "run/initrd").read_bytes() == b"cpio"
