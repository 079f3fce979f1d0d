"""docs/check.md, the table of codes and the code that emits findings say the same.

Every example of the page is a configuration that is checked here, in a /boot with a few files.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest
from kernels import arm64_image, bzimage
from nixos import write_root

import chainboot
from chainboot.boot.candidate import candidates
from chainboot.boot.inspection import findings
from chainboot.boot.volume import Volume, read_configuration
from chainboot.errors import Diagnostic, Severity
from chainboot.extlinux.codes import CODES
from chainboot.extlinux.evaluation import INCLUDE_DEPTH
from chainboot.extlinux.parser import LINE_LIMIT

PAGE = Path(__file__).parents[1] / "docs/check.md"
HEADINGS = {"Errors": Severity.ERROR, "Warnings": Severity.WARNING, "Notes": Severity.INFO}
SIGNS = {"␍": "\r", "␀": "\0", "␠": " ", "␂": "\ufeff"}


@dataclass(frozen=True)
class Section:
    """What the page says about one code. `example` is the text of the configuration."""

    severity: Severity
    meaning: str
    example: str
    advice: str


def page() -> dict[str, Section]:
    found: dict[str, Section] = {}
    for part in PAGE.read_text().split("\n## ")[1:]:
        severity = HEADINGS[part.split("\n", 1)[0]]
        for section in part.split("\n### ")[1:]:
            name, rest = section.split("\n", 1)
            meaning, rest = rest.split("\n```extlinux", 1)
            times, rest = rest.split("\n", 1)
            block, advice = rest.split("```\n", 1)
            for sign, char in SIGNS.items():
                block = block.replace(sign, char)
            example = block * (int(times.split()[0]) if times else 1)
            assert name not in found, f"{name} is explained twice"
            found[name] = Section(severity, meaning, example, advice.strip())
    return found


SECTIONS = page()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with the files that the examples name."""
    root = write_root(tmp_path_factory.mktemp("check") / "disk", "")
    boot = root / "boot"
    for name, content in {
        "vmlinuz": bzimage(),
        "vmlinuz-cut-off": bzimage()[:1030],
        "vmlinuz-small-command-line": bzimage(command_line_size=40),
        "vmlinuz-other-machine": arm64_image(),
        "initrd": b"070701 a cpio archive",
        "initrd-empty": b"",
        "microcode": b"070701 microcode",
    }.items():
        (boot / name).write_bytes(content)
    (boot / "extlinux/loop.cfg").write_text("INCLUDE loop.cfg\n")
    (boot / "extlinux/long.cfg").write_text("TEXT HELP\n" + "a line\n" * (LINE_LIMIT // 2) + "ENDTEXT\n")
    for depth in range(1, INCLUDE_DEPTH + 2):
        (boot / f"extlinux/deep-{depth}.cfg").write_text(f"INCLUDE deep-{depth + 1}.cfg\n")
    return root


def check(root: Path, text: str) -> tuple[Diagnostic, ...]:
    path = "/boot/extlinux/extlinux.conf"
    (root / path[1:]).write_bytes(text.encode())
    configuration = read_configuration(Volume(str(root), "disk"), path)
    return findings([configuration], candidates([configuration]), "x86_64")


def test_the_page_lists_every_code_in_the_order_of_the_table() -> None:
    assert list(SECTIONS) == list(CODES)


@pytest.mark.parametrize("name", CODES)
def test_the_page_says_what_the_table_says(name: str) -> None:
    code, section = CODES[name], SECTIONS[name]
    assert section.severity is code.severity
    meaning = section.meaning.replace("`", "").removesuffix(".")
    assert meaning in (code.meaning, f"{code.meaning[0].upper()}{code.meaning[1:]}")
    assert section.advice.endswith((".", "?")), "every code says what to do or to know"


@pytest.mark.parametrize("name", CODES)
def test_the_example_of_a_code_has_that_finding(name: str, root: Path) -> None:
    found = check(root, SECTIONS[name].example)
    assert name in {finding.code for finding in found}
    for finding in found:
        assert finding.severity is CODES[finding.code].severity, finding.code


def test_the_finding_at_the_top_of_the_page_is_a_real_one(root: Path) -> None:
    usual = "LINUX ../vmlinuz\n  INITRD ../initrd\n  APPEND root=/dev/vda1\n"
    text = f"TIMEOUT 50\nDEFAULT a\n\nLABEL a\n  {usual}\nLABEL b\n  {usual.replace('vmlinuz', 'gone')}"
    (finding,) = check(root, text)
    shown = "".join(f"    {line}\n" for line in finding.format().splitlines())
    assert shown in PAGE.read_text()


def emitted() -> set[str]:
    """Every code that a call in the package names: `Diagnostic(severity, code)`, `warn(code)`, `add(code)`."""
    codes: set[str] = set()
    package = Path(chainboot.__file__).parent
    for path in (*(package / "extlinux").glob("*.py"), *(package / "boot").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = {"Diagnostic": 1, "diagnostic": 1, "warn": 0, "_warn": 0, "add": 0}.get(name)
            if place is not None and len(node.args) > max(place, 1) and isinstance(node.args[place], ast.Constant):
                codes.add(str(ast.literal_eval(node.args[place])))
    return codes


def test_every_code_that_is_emitted_is_in_the_table() -> None:
    assert len(emitted()) > len(CODES) / 2
    assert emitted() <= set(CODES)
