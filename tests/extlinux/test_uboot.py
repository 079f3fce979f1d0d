"""The model of U-Boot's reader, rule by rule of boot/pxe_utils.c."""

from __future__ import annotations

import pytest

from chainboot.extlinux.parser import Document, parse
from chainboot.extlinux.uboot import UbootReading, read_as_uboot


def reading(text: str, **files: str) -> UbootReading:
    by_name = {name.replace("_", "."): content for name, content in files.items()}

    def read_include(name: str) -> Document | None:
        return parse(by_name[name].encode(), name) if name in by_name else None

    return read_as_uboot(parse(text.encode(), "f"), read_include)


def labels(text: str, **files: str) -> list[tuple[str, str | None, str | None, str | None]]:
    found = reading(text, **files).labels
    return [(label.name, label.kernel, label.append, label.once.get("INITRD")) for label in found]


@pytest.mark.parametrize(
    ("body", "kernel", "append", "initrd"),
    [
        ("LINUX k\nINITRD i\nAPPEND x", "k", "x", "i"),
        ("kernel k#conf", "k", None, None),
        ("LINUX k ", "k ", None, None),
        ("LINUX k\r", "k\r", None, None),
        ("LINUX k\n\nAPPEND x", "k", "x", None),
        ("LINUX k\n\r\nAPPEND x", "k", None, None),
        ("LINUX k\n# c\n  #\nAPPEND x#y", "k", "x#y", None),
        ("MENU END\nLINUX k", "k", None, None),
        ("MENU SEPARATOR\nLINUX k", "k", None, None),
        ("KASLRSEED\nLINUX k", "k", None, None),
        ("KASLRSEED LINUX k", "k", None, None),
        ("IPAPPEND 2\nLOCALBOOT 0\nLINUX k", "k", None, None),
        ("TIMEOUT 5\nLINUX k", None, None, None),
        ("TEXT HELP\nLINUX k\nENDTEXT", None, None, None),
        ("MENU\nAPPEND x\nLINUX k", "k", None, None),
        ("MENU LABEL\nAPPEND x\nLINUX k", "k", None, None),
        ("APPEND x initrd=i y\nLINUX k", "k", "x initrd=i y", "i"),
        ("APPEND x initrd=i y\nINITRD j\nLINUX k", None, "x initrd=i y", "i"),
        ("INITRD j\nAPPEND x initrd=i\nLINUX k", "k", "x initrd=i", "j"),
        ("INITRD i\nAPPEND\nLINUX k", "k", None, "i"),
        ("FDT a\nFDT LINUX k", "k", None, None),
    ],
)
def test_a_label(body: str, kernel: str | None, append: str | None, initrd: str | None) -> None:
    assert labels(f"LABEL a\n{body}\n") == [("a", kernel, append, initrd)]


def test_a_label_goes_on_behind_an_included_file_only_to_the_end_of_that_file() -> None:
    assert labels("INCLUDE e.cfg\nLINUX k\nLABEL b\n", e_cfg="LABEL a\n") == [
        ("a", None, None, None),
        ("b", None, None, None),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("LABEL", "LABEL has no value"),
        ("LABEL a\nLINUX", "LINUX has no value"),
        ("LABEL a\nFDT #x", "FDT has no value"),
        ("TIMEOUT # five", "TIMEOUT has no value"),
        ("prompt", "PROMPT has no value"),
        ("DEFAULT", "DEFAULT has no value"),
        ("MENU TITLE", "MENU TITLE has no value"),
        ("MENU BACKGROUND #f", "MENU BACKGROUND has a value that starts with #, which is a comment"),
        ("INCLUDE", "INCLUDE names no file"),
        ("INCLUDE gone", "it cannot read gone"),
        ("MENU INCLUDE gone", "it cannot read gone"),
        ("INCLUDE loop", "files are included more than 16 deep"),
    ],
)
def test_what_makes_u_boot_reject_the_file(text: str, why: str) -> None:
    assert [complaint.why for complaint in reading(text, loop="INCLUDE loop\n").rejected] == [why]


def test_u_boot_includes_to_level_sixteen() -> None:
    files = {f"f{n}": f"LABEL l{n}\nINCLUDE f{n + 1}\n" for n in range(2, 30)}
    assert len(labels("LABEL l1\nINCLUDE f2\n", **files)) == 16


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("LABEL a\nAPPEND", ["APPEND has no value"]),
        ("LABEL a\nAPPEND #", ["APPEND has no value"]),
        ("LABEL a\nAPPEND x initrd=i", ["initrd= is the last word of APPEND"]),
        ("LABEL a\nAPPEND x initrd=i ", []),
        ("LABEL a\nAPPEND x\nAPPEND", []),
        ("APPEND", []),
    ],
)
def test_what_makes_u_boot_crash(text: str, why: list[str]) -> None:
    assert [complaint.why for complaint in reading(text).crashes] == why


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("LABEL a\nLINUX k\nLABEL b\nMENU DEFAULT\nLINUX k\n", "b"),
        ("DEFAULT a\nLABEL a\nLINUX k\nLABEL b\nMENU DEFAULT\nLINUX k\n", "a"),
        ("LABEL a\nMENU DEFAULT\nLINUX k\nLABEL b\nLINUX k\nDEFAULT b\n", "b"),
        ("LABEL a\nLABEL b\nLINUX k\n", "b"),
        ("LABEL a\nLOCALBOOT 0\nLABEL b\nLINUX k\n", "a"),
        ("LABEL a\nTEXT HELP\nDefault b\nENDTEXT\nLABEL b\nLINUX k\n", "b"),
        ("LABEL a\n", None),
    ],
)
def test_what_u_boot_boots_by_itself(text: str, name: str | None) -> None:
    choice = reading(text).first_choice()
    assert (choice.name if choice else None) == name


def test_a_line_of_a_million_words_and_files_that_multiply_end() -> None:
    assert labels("LABEL a\nKASLRSEED " + "KASLRSEED " * 300_000) == [("a", None, None, None)]
    found = reading("INCLUDE b\n" * 100, b="INCLUDE c\n" * 100, c="LABEL x\n" * 1000)
    assert len(found.labels) < 250_000
