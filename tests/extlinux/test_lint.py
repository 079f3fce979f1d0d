"""The linter on texts: what it finds, where, and what it leaves alone. Examples of all codes: test_check_docs.py."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nixos import extlinux_conf, generation, label, usual_conf

from chainboot.errors import Diagnostic
from chainboot.extlinux.evaluation import _MEANING, resolve
from chainboot.extlinux.findings import DIAGNOSTIC_LIMIT
from chainboot.extlinux.lint import KNOWN, lint
from chainboot.extlinux.parser import Document, parse
from chainboot.extlinux.sections import divide
from chainboot.extlinux.uboot import timeout_in_seconds

HEAD = "TIMEOUT 50\n"
BODY = "LINUX k\nAPPEND root=/dev/vda1\n"


def found(text: str, **files: str) -> tuple[Diagnostic, ...]:
    """The linter's findings about `text`; INCLUDE finds `files`, whose names are given with _ for a dot."""
    by_name = {name.replace("_", "."): content for name, content in files.items()}

    def read_include(name: str) -> Document | None:
        return parse(by_name[name].encode(), name) if name in by_name else None

    document = parse(text.encode(), "extlinux.conf")
    return lint(divide(document, read_include), read_include, resolve(document, read_include))


def places(text: str, **files: str) -> list[tuple[str, str]]:
    return [(finding.code, str(finding.position).removeprefix("extlinux.conf:")) for finding in found(text, **files)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"LABEL a\n{BODY}", []),
        (f"LABEL a\n{BODY}LABEL b\n{BODY}", []),
        # names
        (f"ONTIMEOUT gone\nLABEL a\n{BODY}", [("ontimeout-not-found", "2:11")]),
        (f"DEFAULT a\nONTIMEOUT a quiet\nLABEL a\n{BODY}", []),
        (f"FALLBACK gone\nLABEL a\n{BODY}", [("fallback-not-found", "2:10")]),
        (f"FALLBACK a\nLABEL a\n{BODY}", []),
        (f"LABEL a\n{BODY}LABEL b\nMENU GOTO .top\n", []),
        (f"LABEL a\n{BODY}LABEL b\nMENU EXIT\n", []),
        (f"LABEL a\n{BODY}LABEL b\nMENU EXIT x\n", [("menu-target-not-found", "6:11")]),
        (f"LABEL a\n{BODY}LABEL b\nMENU GOTO\n", [("menu-target-not-found", "6:1")]),
        # keywords
        (f"LABEL a\n{BODY}INTIRD i\n", [("misspelt-directive", "5:1")]),
        (f"MENU TITEL x\nLABEL a\n{BODY}", [("misspelt-directive", "2:1")]),
        (f"LABEL a\n{BODY}XYZZY i\n", [("unknown-directive", "5:1")]),
        (f"SERIAL 0 9600\nF1 help\nSAY hello\nMENU COLOR border 0\nLABEL a\n{BODY}", []),
        # entries
        (f"LABEL a\n{BODY}LABEL b\n", [("unbootable", "5:1")]),
        (f"LABEL a\n{BODY}LABEL b\nLINUX f#c\nAPPEND x\n", [("unbootable", "5:1")]),
        (f"LABEL a\n{BODY}LABEL b\nMENU DISABLE\n", [("disabled", "5:1")]),
        (f"DEFAULT b\nLABEL a\n{BODY}LABEL b\nLOCALBOOT 0\n", [("default-unbootable", "6:1"), ("not-linux", "6:1")]),
        ("LABEL a\nLINUX k\n", [("no-append", "2:1")]),
        ("LABEL a\nLINUX k root=/dev/vda1\n", [("uboot-file-name", "3:7")]),
        ("LABEL a\nLINUX k\nAPPEND quiet\n", [("no-root", "4:8")]),
        ("LABEL a\nKERNEL k\nAPPEND quiet\n", []),
        ("LABEL a\nLINUX k\nINITRD i\nAPPEND quiet\n", []),
        (f"LABEL a\n{BODY}LABEL b\nKERNEL /memtest\nAPPEND quiet\n", []),
        (f"LABEL a\n{BODY}LABEL b\nKERNEL k\nAPPEND quiet\n", [("no-root", "7:8")]),
        ("LABEL nixos-default\nLINUX k\nINITRD i\nAPPEND quiet\n", [("no-init", "5:8")]),
        (f"LABEL a\n{BODY}INITRD i\nLABEL b\n{BODY}", [("no-initrd", "6:1")]),
        ("LABEL a\nINITRD j\nLINUX k\nAPPEND root=x initrd=i y\n", [("conflicting-initrds", "5:8")]),
        ("LABEL a\nINITRD i\nLINUX k\nAPPEND root=x initrd=i y\n", []),
        ("LABEL a\nLINUX k\nAPPEND root=x initrd=i initrd=j\n", [("conflicting-initrds", "4:8")]),
        ("LABEL a\nLINUX k\nAPPEND root=x a=${b} ${c}\n", [("needs-environment", "4:8")]),
    ],
)
def test_what_is_found_and_where(text: str, expected: list[tuple[str, str]]) -> None:
    wanted = [code for code, _ in expected]
    assert [each for each in places(HEAD + text) if each[0] in wanted or not each[0].startswith("uboot-")] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PROMPT\n", [("uboot-rejects", "2:1")]),
        ("MENU TITLE #1\n", [("uboot-rejects", "2:1")]),
        ("INCLUDE gone.cfg\n", [("uboot-rejects", "2:1")]),
        (f"LABEL a\n{BODY}APPEND root=x initrd=i\n", [("uboot-crashes", "5:1")]),
        ("LABEL a\nAPPEND\nLINUX k\n", [("no-root", "3:1"), ("uboot-crashes", "3:1")]),
        (f"LABEL a\nSAY x\n{BODY}", [("uboot-drops-lines", "3:1")]),
        (f"LABEL a\n{BODY}SAY x\n", []),
        (f"LABEL a\nMENU LABEL\n{BODY}", [("uboot-drops-lines", "3:1")]),
        (f"LABEL a\nINITRD i\n  INITRD j\n{BODY}", [("uboot-drops-lines", "4:3")]),
        (f"DEFAULT b \nLABEL a\n{BODY}LABEL b\n{BODY}", [("uboot-default", "2:9")]),
        (f"DEFAULT b \nLABEL a\n{BODY}LABEL b \n{BODY}", []),
        (f"DEFAULT a\nLABEL a\n{BODY}LABEL a\n{BODY}", [("uboot-default", "2:9")]),
        (f"DEFAULT a\nPROMPT\nLABEL a\n{BODY}LABEL a\n{BODY}", [("uboot-rejects", "3:1")]),
        (f"DEFAULT nixos-2\nLABEL b\n{BODY}LABEL nixos-2-default\nLINUX k\nAPPEND init=x\n", []),
        (f"DEFAULT a\nONTIMEOUT b\nLABEL a\n{BODY}LABEL b\n{BODY}", [("uboot-default", "3:11")]),
        ("LABEL a\nLINUX k \nINITRD i\t\nAPPEND root=x \n", [("uboot-file-name", "3:7"), ("uboot-file-name", "4:8")]),
        (f"LABEL a\nINITRD i,j\n{BODY}", [("uboot-file-name", "3:8")]),
        ("LABEL a\r\nINITRD i\r\nLINUX k\r\nAPPEND root=x\r\n", [("uboot-line-ends", "1:1")]),
        ("LABEL a\nLINUX k\nAPPEND root=x 'y'\n", [("uboot-quotes", "4:8")]),
        ("LABEL a\nLINUX k\nINITRD i\nAPPEND -\n", [("append-dash", "5:8")]),
        ("LABEL nixos-default\nLINUX k\nAPPEND init=x ${y}\n", [("uboot-variables", "4:8")]),
        (f"DEFAULT a c\nLABEL a b\n{BODY}LABEL a c\n{BODY}", [("label-with-blanks", "3:7"), ("syslinux-label", "6:7"),
                                                             ("syslinux-default", "2:9")]),
        (f"UI menu.c32\nDEFAULT a c\nLABEL a b\n{BODY}LABEL a c\n{BODY}", [("label-with-blanks", "4:7"),
                                                                          ("syslinux-label", "7:7")]),
        (f"APPEND quiet\nLABEL a\n{BODY}LABEL b\n{BODY}", [("global-append", "2:8")]),
        ("APPEND root=x\nLABEL a\nLINUX k\n", []),
    ],
)  # fmt: skip
def test_what_other_readers_do(text: str, expected: list[tuple[str, str]]) -> None:
    assert places(HEAD + text) == expected


@pytest.mark.parametrize(
    ("text", "codes"),
    [("", []), ("TIMEOUT 0", ["timeout-zero"]), ("TIMEOUT -10", ["timeout-negative"]), ("TIMEOUT 1", [])],
)
def test_timeouts(text: str, codes: list[str]) -> None:
    assert [code for code, _ in places(f"{text}\nLABEL a\n{BODY}")] == (codes if text else ["no-timeout"])


@pytest.mark.parametrize(("value", "seconds"), [("50", 5), ("1", 1), ("11", 2), ("0", 0), ("-10", 0), ("-25", -1)])
def test_u_boot_counts_whole_seconds(value: str, seconds: int) -> None:
    assert timeout_in_seconds(value) == seconds


@pytest.mark.parametrize(
    "conf",
    [
        usual_conf(),
        usual_conf(timeout=1),
        extlinux_conf(label("nixos-default", "NixOS - Default", tail="  FDTDIR ../nixos/x-dtbs\n"), generation(1)),
        extlinux_conf(label("nixos-default", "NixOS - Default", tail="  FDT ../nixos/x-dtbs/a.dtb\n")),
    ],
)
def test_nothing_is_found_in_what_nixos_writes(conf: str) -> None:
    assert found(conf) == ()


def test_a_finding_reads_as_a_sentence_with_its_place() -> None:
    (finding,) = found(f"{HEAD}LABEL a\n  SAY hello\n  LINUX k\n  INITRD i\n  APPEND root=x\n  FDT f\n  FDTDIR d\n")
    assert finding.format() == (
        "extlinux.conf:3:3: warning: U-Boot ends label a at SAY and drops what follows: "
        "LINUX, INITRD, APPEND, FDT and 1 more [uboot-drops-lines]\n"
        "      SAY hello\n"
        "      ^\n"
        "  (hint) move the line to the end of the label, or out of it"
    )


@pytest.mark.parametrize(
    "line", ["MENU PASWD secret", "MENU MASTER PASSSWD secret", "MENU PASSWRD secret", "PASSWD secret"]
)
def test_a_password_is_not_shown_where_it_is_misspelt(line: str) -> None:
    findings = found(f"{line}\r\n{HEAD}LABEL a\n{BODY}")
    assert findings
    assert "secret" not in "".join(finding.format() for finding in findings)


def test_findings_in_an_included_file_have_its_name() -> None:
    findings = found(f"{HEAD}INCLUDE more.cfg\n{BODY}", more_cfg="LABEL a\nXYZZY\n")
    assert [str(finding.position) for finding in findings if finding.code == "unknown-directive"] == ["more.cfg:2:1"]
    assert [finding.source_line for finding in findings if finding.code == "unknown-directive"] == ["XYZZY"]


def test_findings_are_bounded() -> None:
    findings = found("XYZZY\n" * (DIAGNOSTIC_LIMIT + 10))
    assert len(findings) == DIAGNOSTIC_LIMIT + 1
    assert findings[-1].code == "too-many-findings"


def test_suggestions_are_bounded() -> None:
    words = [f"LABEL{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(600)]
    findings = [finding.code for finding in found("\n".join(words))]
    assert (findings.count("misspelt-directive"), findings.count("unknown-directive")) == (100, 500)


def test_a_long_label_is_not_repeated_by_every_other() -> None:
    findings = found(f"{HEAD}LABEL a {'b' * 100_000}\n{BODY}" + f"LABEL a c\n{BODY}" * 50)
    assert sum(len(finding.message) for finding in findings) < 1_000_000


def test_every_directive_with_a_meaning_is_known() -> None:
    assert set(_MEANING) <= KNOWN


LINES = st.sampled_from(
    ["LABEL a", "LABEL b", "LABEL", "LINUX k", "APPEND x", "MENU BEGIN", "MENU BEGIN t", "MENU END", "MENU SEPARATOR",
     "TEXT HELP", "ENDTEXT", "INCLUDE one", "INCLUDE two t", "MENU INCLUDE two", "INCLUDE gone", "(junk", "# c", ""]
)  # fmt: skip
TEXTS = st.lists(LINES, max_size=25).map("\n".join)


@given(TEXTS, TEXTS, TEXTS)
@example("LABEL a\nINCLUDE two t\nLINUX k\n", "", "LINUX k\n")
@example("LABEL a\nLINUX k\nLINUX j\nAPPEND x\nAPPEND y\n", "", "")
def test_the_sections_of_labels_are_the_entries_of_the_menu(main: str, one: str, two: str) -> None:
    files = {"one": one, "two": two}

    def read_include(name: str) -> Document | None:
        return parse(files[name].encode(), name) if name in files else None

    document = parse(main.encode(), "main")
    menu, sections = resolve(document, read_include), divide(document, read_include)
    assert [each.label.position for each in sections.labels() if each.label] == [each.position for each in menu.entries]
    for section, entry in zip(sections.labels(), menu.entries, strict=True):
        kernel, append = section.last("LINUX"), section.last("APPEND")
        assert (kernel.value if kernel else None) == entry.kernel
        assert append is None or append.value == entry.append


@given(st.binary(max_size=300))
def test_nothing_makes_the_linter_raise(data: bytes) -> None:
    document = parse(data, "f")
    menu = resolve(document)
    lint(divide(document, lambda _name: None), lambda _name: None, menu)
