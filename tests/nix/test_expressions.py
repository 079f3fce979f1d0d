"""Every Nix expression of the repository can be parsed, and keeps to the rules that make it pure and portable."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nix.private import PrivateNix

from chainboot.process import run
from chainboot_vm.artifacts import REPOSITORY


def expressions() -> list[Path]:
    """The .nix files that are, or would be, committed."""
    listed = run(
        ("git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard", "*.nix"), check=True
    )
    return [REPOSITORY / name for name in listed.stdout.splitlines() if (REPOSITORY / name).is_file()]


RULES = {
    "a search path, which is another one on each machine": re.compile(r"<nixpkgs"),
    "fetching while evaluating: flake.lock names all there is": re.compile(
        r"\bfetch(url|Tarball|Git|Tree|zip|FromGitHub)\b"
    ),
    "the machine that evaluates: systems are named": re.compile(r"\bcurrentSystem\b|\bgetEnv\b|\bcurrentTime\b"),
    "names out of nowhere, for a whole file": re.compile(r"^\s*with (lib|pkgs|builtins);", re.MULTILINE),
    "an attribute set that sees itself, where let would do": re.compile(r"\brec \{"),
}


def broken_rules(text: str) -> list[str]:
    """The rules that the expression `text` breaks; its comments are not looked at."""
    code = re.sub(r"(?m)(^|\s)#.*$|/\*(?s:.*?)\*/", "", text)
    return [why for why, pattern in RULES.items() if pattern.search(code)]


def test_every_expression_can_be_parsed(nix: PrivateNix) -> None:
    files = expressions()
    assert REPOSITORY / "flake.nix" in files
    nix.run("nix-instantiate", "--parse", *map(str, files))


@pytest.mark.parametrize(
    "file", [file for file in expressions() if "tests" not in file.relative_to(REPOSITORY).parts], ids=str
)
def test_an_expression_keeps_to_the_rules(file: Path) -> None:
    assert broken_rules(file.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "import <nixpkgs> { }",
        'builtins.fetchTarball "https://example.org/x.tar.gz"',
        "builtins.currentSystem",
        "{ lib }:\nwith lib;\n{ }",
        "rec { a = 1; }",
    ],
)
def test_the_rules_see(text: str) -> None:
    assert len(broken_rules(text)) == 1


@pytest.mark.parametrize(
    "text", ["# import <nixpkgs> { }\n1", "/* rec { */ 1", "p: with p; [ a ]", "{ record = { }; }"]
)
def test_the_rules_leave_alone(text: str) -> None:
    assert broken_rules(text) == []
