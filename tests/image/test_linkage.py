"""Libraries are found where ld.so(8) would find them, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from image.elf_files import elf_file
from image.sysroots import To, write_sysroot

from chainboot.architecture import AARCH64, X86_64
from chainboot.errors import ChainbootError
from chainboot.image.linkage import Linker
from chainboot.image.tree import ImageTree

Files = Mapping[str, bytes | str | To]


def linked(root: Path, files: Files, program: str = "/bin/a", target: str | None = None) -> dict[str, str]:
    """Files of the image and why they are there."""
    tree = ImageTree(X86_64)
    Linker(write_sysroot(root, files), tree).add(program, target or program, 0o755, "programs", "the test")
    return {entry.path: entry.because for entry in tree.entries() if entry.group != "directories"}


def test_the_interpreter_and_libraries_of_libraries(tmp_path: Path) -> None:
    assert linked(
        tmp_path / "root",
        {
            "/bin/a": elf_file(needed=("libb.so.1", "libc.so.6"), interpreter="/lib64/ld.so.2"),
            "/lib/x86_64-linux-gnu/libb.so.1": To("libb.so.1.2.3"),
            "/lib/x86_64-linux-gnu/libb.so.1.2.3": elf_file(needed=("libc.so.6",), tail=b"b"),
            "/lib/libc.so.6": elf_file(needed=("ld.so.2",), tail=b"c"),
            "/lib64/ld.so.2": To("/lib/x86_64-linux-gnu/ld-linux.so"),
            "/lib/x86_64-linux-gnu/ld-linux.so": elf_file(tail=b"ld"),
            "/lib/x86_64-linux-gnu/unused.so": elf_file(),
        },
    ) == {
        "/bin/a": "the test",
        "/lib/x86_64-linux-gnu/libb.so.1": "needed by /bin/a",
        "/lib64/ld.so.2": "needed by /bin/a",
        "/lib/libc.so.6": "needed by /bin/a",
    }


@pytest.mark.parametrize(
    ("program", "places", "found"),
    [
        ({"rpath": "/r"}, ["/r/libx.so", "/usr/lib/libx.so"], "/r/libx.so"),
        ({"runpath": "/r:/s"}, ["/s/libx.so", "/usr/lib/libx.so"], "/s/libx.so"),
        # DT_RPATH is ignored where there is a DT_RUNPATH
        ({"rpath": "/r", "runpath": "/s"}, ["/r/libx.so", "/lib/libx.so"], "/lib/libx.so"),
        ({"runpath": "$ORIGIN/../l"}, ["/l/libx.so"], "/l/libx.so"),
        ({"runpath": "${ORIGIN}"}, ["/bin/libx.so"], "/bin/libx.so"),
        # on a machine with a merged /usr it is found as /lib/libx.so first, whatever the package called it
        ({}, ["/usr/lib/libx.so"], "/lib/libx.so"),
        ({}, ["/lib/libx.so", "/lib/x86_64-linux-gnu/libx.so"], "/lib/x86_64-linux-gnu/libx.so"),
    ],
)
def test_search_order(tmp_path: Path, program: dict[str, str], places: list[str], found: str) -> None:
    files = {place: elf_file(tail=place.encode()) for place in places}
    rpath, runpath = program.get("rpath"), program.get("runpath")
    files["/bin/a"] = elf_file(needed=("libx.so",), rpath=rpath, runpath=runpath)
    image = linked(tmp_path / "root", files)
    assert [path for path in image if path != "/bin/a"] == [found]


def test_an_rpath_holds_for_what_is_loaded_and_a_runpath_does_not(tmp_path: Path) -> None:
    files = {"/r/liby.so": elf_file(tail=b"y"), "/r/libx.so": elf_file(needed=("liby.so",))}
    inherited = linked(tmp_path / "one", {**files, "/bin/a": elf_file(needed=("libx.so",), rpath="/r")})
    assert inherited["/r/liby.so"] == "needed by /r/libx.so"
    with pytest.raises(ChainbootError) as refused:
        linked(tmp_path / "two", {**files, "/bin/a": elf_file(needed=("libx.so",), runpath="/r")})
    assert str(refused.value) == "liby.so is needed by /r/libx.so and is not in the sysroot"


def test_origin_is_the_place_in_the_image(tmp_path: Path) -> None:
    """A program that is put elsewhere looks beside itself there."""
    image = linked(
        tmp_path / "root",
        {"/opt/x/a": elf_file(needed=("libx.so",), runpath="$ORIGIN"), "/opt/x/libx.so": elf_file(tail=b"x")},
        "/opt/x/a",
        "/bin/a",
    )
    assert sorted(image) == ["/bin/a", "/bin/libx.so"]


def test_what_is_missing_and_who_needs_it(tmp_path: Path) -> None:
    with pytest.raises(ChainbootError) as refused:
        linked(tmp_path / "root", {"/usr/sbin/kexec": elf_file(needed=("libfoo.so.1",))}, "/usr/sbin/kexec")
    assert str(refused.value) == "libfoo.so.1 is needed by /usr/sbin/kexec and is not in the sysroot"
    assert refused.value.hint == (
        "looked in /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu /lib64 /usr/lib64 /lib /usr/lib; "
        f"unpack the package that carries it into {tmp_path / 'root'}"
    )


def test_libraries_of_another_machine_are_passed_over(tmp_path: Path) -> None:
    files: dict[str, bytes] = {
        "/bin/a": elf_file(needed=("libx.so",)),
        "/lib/x86_64-linux-gnu/libx.so": elf_file(AARCH64),
    }
    with pytest.raises(ChainbootError) as refused:
        linked(tmp_path / "one", files)
    assert str(refused.value) == (
        "libx.so is needed by /bin/a and is in the sysroot only for another machine than x86_64"
    )
    assert "/lib/libx.so" in linked(tmp_path / "two", {**files, "/lib/libx.so": elf_file(tail=b"x")})


def test_what_is_not_a_program(tmp_path: Path) -> None:
    with pytest.raises(ChainbootError) as refused:
        linked(tmp_path / "root", {"/bin/a": "#!/bin/sh\n"})
    assert str(refused.value) == "/bin/a is wanted by the test and is not an ELF file"


def test_libraries_that_need_each_other(tmp_path: Path) -> None:
    image = linked(
        tmp_path / "root",
        {
            "/bin/a": elf_file(needed=("libx.so",)),
            "/lib/libx.so": elf_file(needed=("liby.so",), tail=b"x"),
            "/lib/liby.so": elf_file(needed=("libx.so",), tail=b"y"),
        },
    )
    assert sorted(image) == ["/bin/a", "/lib/libx.so", "/lib/liby.so"]


def test_a_c_library_is_found_where_its_dynamic_linker_is(tmp_path: Path) -> None:
    """Nix: programs say where their libraries are, but the files of the C library have no path to each other."""
    c, app = "/nix/store/1-glibc/lib", "/nix/store/2-app"
    files = {
        f"{app}/bin/a": elf_file(needed=("libc.so.6",), interpreter=f"{c}/ld.so.2", runpath=c),
        f"{app}/lib/module.so": elf_file(needed=("libm.so.6",), runpath=c, tail=b"module"),
        f"{c}/ld.so.2": elf_file(tail=b"ld"),
        f"{c}/libc.so.6": elf_file(needed=("ld.so.2",), tail=b"c"),
        f"{c}/libm.so.6": elf_file(needed=("libc.so.6", "ld.so.2"), tail=b"m"),
    }
    sysroot = write_sysroot(tmp_path / "root", files)
    tree = ImageTree(X86_64)
    linker = Linker(sysroot, tree)
    linker.add(f"{app}/bin/a", "/bin/a", 0o755, "programs", "the test")
    # a module is loaded into a program, and by its dynamic linker
    linker.add(f"{app}/lib/module.so", "/lib/module.so", 0o644, "modules", "the test")
    found = {entry.path for entry in tree.entries() if entry.group != "directories"}
    assert found == {"/bin/a", "/lib/module.so", f"{c}/ld.so.2", f"{c}/libc.so.6", f"{c}/libm.so.6"}
    with pytest.raises(
        ChainbootError, match=r"libc\.so\.6 is needed by /nix/store/1-glibc/lib/libm\.so\.6 and is not in"
    ):
        Linker(sysroot, ImageTree(X86_64)).add(f"{app}/lib/module.so", "/lib/module.so", 0o644, "modules", "the test")
