"""Files that are made once, and again when what they are made from changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chainboot_vm.artifacts import REPOSITORY, key_of, key_of_files, once


def test_made_once_for_each_key(tmp_path: Path) -> None:
    target = tmp_path / "below" / "made"
    calls: list[str] = []

    def make(text: str) -> None:
        def write(path: Path) -> None:
            calls.append(text)
            path.write_text(text)

        once(target, text, write)

    for text in ("a", "a", "b", "b", "a"):
        make(text)
        assert target.read_text() == text
    assert calls == ["a", "b", "a"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "made"
    once(target, "good", lambda path: path.write_text("good") and None)

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        once(target, "bad", fail)
    assert target.read_text() == "good"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "made.key"]


def test_a_removed_file_is_made_again(tmp_path: Path) -> None:
    target = tmp_path / "made"
    once(target, "key", lambda path: path.write_text("one") and None)
    target.unlink()
    once(target, "key", lambda path: path.write_text("two") and None)
    assert target.read_text() == "two"


def test_where_parts_end_matters() -> None:
    assert key_of("ab", "c") != key_of("a", "bc") != key_of("abc")
    assert key_of("ab", b"c") == key_of(b"ab", "c")


def test_names_and_contents_matter_and_compiled_files_do_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    before = key_of_files(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert key_of_files(tmp_path) == before
    (tmp_path / "a").rename(tmp_path / "b")
    renamed = key_of_files(tmp_path)
    assert renamed != before
    (tmp_path / "b").write_text("2")
    assert key_of_files(tmp_path) not in (before, renamed)


@pytest.mark.parametrize(("told", "build"), [("", f"{REPOSITORY}/build"), ("/elsewhere", "/elsewhere")])
def test_where_files_are_made(told: str, build: str) -> None:
    """Under Nix the repository is read-only."""
    argv = (sys.executable, "-c", "from chainboot_vm.artifacts import BUILD; print(BUILD)")
    environment = {"CHAINBOOT_BUILD": told, "PYTHONPATH": f"{REPOSITORY}/vm-tests:{REPOSITORY}/python"}
    said = subprocess.run(argv, env=environment, check=True, capture_output=True, text=True)
    assert said.stdout.strip() == build
