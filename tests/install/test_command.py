"""The verb: which parameters a first stage gets, what is refused, and what `skip` is left out for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fakes import FakeRunner
from install.volumes import GIVEN, Box
from kernels import bzimage, s390x_image, vmlinux
from nixos import INITRD, KERNEL, extlinux_conf, label

from chainboot.cli import main
from chainboot.errors import ChainbootError
from chainboot.install.command import Request, install


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def refusal(box: Box, **changes: str) -> str:
    """Why an install is refused; nothing is made and nothing run."""
    kernel, initrd = box.sources("a")
    given = {"target": str(box.boot), "kernel": kernel, "initrd": initrd} | changes
    runner = FakeRunner()
    with pytest.raises(ChainbootError) as refused:
        install(
            Request(**given, parameters=GIVEN),
            runner,
            box.said.append,
            machine=box.machine,
        )
    assert (runner.commands, box.tree()) == ([], {})
    return refused.value.message


# Parameters.


def test_parameters_that_are_given(box: Box) -> None:
    box.install("a", ' one  "two three"\nchainboot.installed=ffffffffffff -- four ')
    name = box.id_of(1).split(" ")[0]
    assert box.starts(1)[1] == f'one "two three" chainboot.installed={name} -- four'
    assert not box.said[0].startswith("parameters")


def test_parameters_of_the_first_stage_that_is_there(box: Box) -> None:
    box.install("a", "first")
    box.install("b", "second -- init")
    box.install("c", None)
    name = box.id_of(1).split(" ")[0]
    assert box.starts(1)[1] == f"second chainboot.installed={name} -- init"
    assert box.said[0].startswith("parameters of the first stage that is there, ")
    assert box.said[0].endswith(": second -- init")


def test_parameters_of_the_running_system(box: Box) -> None:
    box.install("a", None)
    assert box.starts(1)[1] == f"console=ttysclp0 console=ttyS0 chainboot.installed={box.id_of(1)}"
    assert box.said[0] == "parameters from the running system: console=ttysclp0 console=ttyS0"


def test_a_running_system_that_names_no_console(box: Box) -> None:
    box.cmdline.unlink()
    box.install("a", None)
    assert box.starts(1)[1] == f"chainboot.installed={box.id_of(1)}"
    assert box.said[0] == "parameters from the running system: (none: it names no console)"


def test_other_parameters_make_another_first_stage(box: Box) -> None:
    box.install("a", "x")
    first = box.id_of(1)
    box.install("a", "y")
    assert box.id_of(1) != first
    assert box.id_of(2) == first


# What is to be installed.


def test_a_kernel_for_another_machine(box: Box) -> None:
    file = box.top / "vmlinuz"
    file.write_bytes(bzimage())
    assert refusal(box, kernel=str(file)) == (
        f"{file} cannot be installed: it is a kernel for x86_64, and zipl boots s390x"
    )


def test_a_kernel_in_a_form_that_zipl_does_not_boot(box: Box) -> None:
    file = box.top / "vmlinux"
    file.write_bytes(vmlinux(22, big=True))
    assert refusal(box, kernel=str(file)).startswith(f"{file} cannot be installed: the file is an ELF vmlinux")


def test_a_kernel_that_is_cut_off(box: Box) -> None:
    file = box.top / "vmlinuz"
    file.write_bytes(s390x_image()[:-4096])
    assert refusal(box, kernel=str(file)).startswith(f"{file} cannot be installed: the kernel image is cut off")


def test_a_kernel_without_kexec(box: Box) -> None:
    (box.top / "vmlinuz-6.12-s390x").write_bytes(s390x_image())
    (box.top / "config-6.12-s390x").write_text("CONFIG_S390=y\n# CONFIG_KEXEC is not set\n")
    assert refusal(box, kernel=f"{box.top}/vmlinuz-6.12-s390x").startswith(
        f"{box.top}/vmlinuz-6.12-s390x cannot be installed: this kernel cannot start another one"
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"", "the file is empty"), (b"#!/bin/sh\n", "it is no initrd (neither cpio nor compressed)")],
)
def test_an_initrd_that_is_none(box: Box, data: bytes, why: str) -> None:
    file = box.top / "initrd"
    file.write_bytes(data)
    assert refusal(box, initrd=str(file)) == f"{file} cannot be installed: {why}"


def test_files_that_are_not_there(box: Box) -> None:
    assert refusal(box, kernel="/nowhere/k") == "/nowhere/k cannot be read: no such file or directory"
    assert refusal(box, initrd=str(box.top)) == f"{box.top} cannot be read: is a directory"
    fifo = box.top / "fifo"
    os.mkfifo(fifo)
    assert refusal(box, kernel=str(fifo)) == f"{fifo} cannot be installed: it is a named pipe, not a file"


# Where it goes.


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "22 1 0:30 / {} rw - btrfs /dev/sda2 rw",
            "on btrfs, and a boot record cannot lead to its blocks: btrfs moves them",
        ),
        (
            "22 1 0:30 / {} rw shared:1 - tmpfs tmpfs rw",
            "on tmpfs, which is not on one disk that the machine could boot",
        ),
        ("22 1 0:30 / / rw - overlay x rw", "on overlay, which is not on one disk that the machine could boot"),
        ("", "on no file system that is mounted, which is not on one disk that the machine could boot"),
    ],
)
def test_a_file_system_that_zipl_cannot_use(box: Box, line: str, why: str) -> None:
    box.mounts.write_text(f"1 0 94:1 / /other rw - ext4 /dev/x rw\n{line.format(box.boot)}\n")
    assert refusal(box) == f"{box.boot} is {why}"


def test_the_innermost_and_the_last_mount_count(box: Box) -> None:
    box.mounts.write_text(
        f"1 0 0:9 / / rw - btrfs /dev/b rw\n2 1 0:8 / {box.boot} rw - tmpfs x rw\n"
        f"3 1 94:1 / {box.boot} rw - ext4 /dev/da\\040sda1 rw\n4 1 0:7 / {box.boot}-2 rw - tmpfs x rw\n"
    )
    assert "(ext4, /dev/da sda1)" in box.install("a", dry_run=True)


def test_the_names_of_mounts_are_decoded(box: Box) -> None:
    inner = box.boot / "a b"
    inner.mkdir()
    text = f"1 0 94:1 / {box.boot} rw - ext4 /dev/x rw\n2 1 0:8 / {box.boot}/a\\040b rw - tmpfs x rw\n"
    box.mounts.write_text(text)
    assert "is on tmpfs" in refusal(box, target=str(inner))


def test_a_target_that_is_not_there(box: Box) -> None:
    assert refusal(box, target="/nowhere/boot") == "/nowhere/boot is not a directory"


def test_a_target_with_a_name_that_zipl_misreads(box: Box) -> None:
    os.symlink(box.boot, box.top / "link")
    assert (
        refusal(box, target=f"{box.top}/link/../boot/nowhere") == f"{box.top}/link/../boot/nowhere is not a directory"
    )
    box.boot = box.boot.rename(box.top / "bo,ot")
    box.mounts.write_text(f"1 0 94:1 / {box.boot} rw - ext4 /dev/x rw\n")
    assert refusal(box) == f"zipl cannot use {box.boot}: the name holds ,"


def test_a_target_that_is_named_through_a_link_is_taken_by_its_own_name(box: Box) -> None:
    os.symlink(box.boot, box.top / "link")
    kernel, initrd = box.sources("a")
    request = Request(f"{box.top}/link/", kernel, initrd, GIVEN, True)
    shown = install(request, FakeRunner(), box.said.append, machine=box.machine)
    assert f'target="{box.boot}/chainboot/zipl/1"' in shown


@pytest.mark.parametrize("name", ["chainboot", "chainboot/first-stage", "chainboot/zipl"])
@pytest.mark.parametrize("link", [False, True])
def test_what_stands_in_the_place_of_our_directories(box: Box, name: str, link: bool) -> None:
    place = box.boot / name
    place.parent.mkdir(exist_ok=True)
    if link:
        place.symlink_to(box.top)
    else:
        place.write_text("")
    with pytest.raises(ChainbootError) as refused:
        box.install("a")
    what = "a symbolic link" if link else "no directory"
    assert refused.value.message == f"{place} is {what}, and chainboot did not make it"


def test_names_that_are_not_ours_stay(box: Box) -> None:
    box.install("a")
    strange = ["first-stage/notes.txt", "first-stage/\x1b[2J", "zipl/007", "zipl/1x", "zipl/x.new", "mine"]
    for name in strange:
        (box.boot / "chainboot" / name).write_text("x")
    (box.boot / "chainboot/zipl/99.old").symlink_to(box.boot / "nixos")
    box.install("b")
    box.install("c")
    assert {name for name in box.tree() if name in strange} == set(strange)
    assert not (box.boot / "chainboot/zipl/99.old").is_symlink()
    assert (box.boot / "nixos" / KERNEL).exists()


def test_numbers_count_up_whatever_is_left(box: Box) -> None:
    box.install("a")
    (box.boot / "chainboot/zipl/41").mkdir()
    (box.boot / "chainboot/zipl/41/bootmap").write_text("x")
    box.install("b")
    assert box.names("zipl") == ["42"]
    assert box.boots(2, "a")


def test_an_install_that_was_killed_may_have_left_its_record(box: Box) -> None:
    """What a bootmap without readable notes leads to is not known: only after the new record anything goes."""
    box.install("a")
    name = "0123456789ab"
    (box.boot / f"chainboot/first-stage/{name}").mkdir()
    shown = box.install("b", dry_run=True)
    assert "  remove what nothing leads to:\n" in shown
    (box.boot / "chainboot/zipl/5").mkdir()
    (box.boot / "chainboot/zipl/5/bootmap_temp.abcdef").write_text("x")
    shown = box.install("b", dry_run=True)
    assert "  remove what nothing leads to:\n" not in shown
    assert f"  remove what the disk leads to no more:\n    remove {box.boot}/chainboot/zipl/1\n" in shown


# The way past us.


@pytest.mark.parametrize(
    ("conf", "why"),
    [
        (extlinux_conf(), "the configuration has no entry"),
        (extlinux_conf("\nLABEL x\n  LINUX ../nixos/k\n"), "x: kernel: /nixos/k does not exist"),
        (
            extlinux_conf(label("nixos-default", "x", "y" * 900)),
            "nixos-default: the parameters have 995 bytes, and zipl takes 895: "
            "init=/nix/store/7ka2xs4yyk0qv5njkx7wcnfz...",
        ),
    ],
)
def test_what_skip_is_left_out_for(box: Box, conf: str, why: str) -> None:
    (box.boot / "extlinux/extlinux.conf").write_text(conf)
    box.install("a")
    assert f"skip is left out: {why}" in box.said
    assert box.said[-1] == "LOADPARM 3: nothing"
    assert 3 not in (box.block.menu if box.block else {})


def test_skip_of_another_machine(box: Box) -> None:
    (box.boot / "nixos" / KERNEL).write_bytes(bzimage())
    box.install("a")
    assert "skip is left out: nixos-default: kernel: it is a kernel for x86_64, and zipl boots s390x" in box.said


def test_no_configuration_at_all(box: Box) -> None:
    (box.boot / "extlinux/extlinux.conf").unlink()
    box.install("a")
    assert f"skip is left out: no extlinux configuration was found in {box.boot}" in box.said


def test_several_initrds_are_joined_and_padded(box: Box) -> None:
    (box.boot / "nixos/ucode").write_bytes(b"070701abc")
    (box.boot / "nixos/u").write_bytes(b"\x27\x05\x19\x56" + bytes(60) + b"070701 uboot")
    (box.boot / "extlinux/extlinux.conf").write_text(
        f"DEFAULT x\nLABEL x\n LINUX ../nixos/{KERNEL}\n INITRD ../nixos/ucode,../nixos/u\n"
    )
    box.install("a")
    joined = (box.boot / "chainboot/zipl/1/skip-initrd").read_bytes()
    assert joined == b"070701abc" + bytes(3) + b"070701 uboot"
    assert not (box.boot / "chainboot/zipl/1/skip-parameters").exists()


def test_an_initrd_is_linked_so_that_it_keeps_its_blocks(box: Box) -> None:
    box.install("a")
    linked = box.boot / "chainboot/zipl/1/skip-initrd"
    assert linked.samefile(box.boot / "nixos" / INITRD)


# The command line.


def test_the_verb_needs_root(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--loader", "zipl", "--target", str(box.boot), "--kernel", "/nowhere/k", "--initrd", "/nowhere/i"]
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(SystemExit) as left:
            main(["install", *words])
        first = capsys.readouterr().err
        with pytest.raises(SystemExit):
            main(["install", *words, "--dry-run"])
        second = capsys.readouterr().err
    finally:
        if root:
            os.seteuid(0)
    assert left.value.code == 1
    assert first == "chainboot: error: only root may install\n  (hint) --dry-run needs no root\n"
    assert second.startswith("chainboot: error: /nowhere/k cannot be read: ")


def test_the_verb_needs_a_loader_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["install", "--loader", "lilo", "--target", "/boot", "--kernel", "k", "--initrd", "i"])
    assert left.value.code == 2
    assert "invalid choice: 'lilo'" in capsys.readouterr().err
