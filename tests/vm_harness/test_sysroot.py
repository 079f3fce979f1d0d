"""Which packages a sysroot is made of: those of this machine's release, or of the one that the architecture wants."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakeRunner

from chainboot_vm.architecture import architecture
from chainboot_vm.sysroot import Apt


@pytest.mark.parametrize(
    ("machine", "running", "own"),
    [("s390x", "bookworm", False), ("s390x", "trixie", True), ("s390x", "", True), ("x86_64", "trixie", False)],
)
def test_an_architecture_may_want_another_release(tmp_path: Path, machine: str, running: str, own: bool) -> None:
    release = tmp_path / "os-release"
    if running:
        release.write_text(f'NAME="Debian"\nVERSION_CODENAME={running}\n')
    runner = FakeRunner()
    Apt(architecture(machine), tmp_path / "apt", tmp_path / "lists", runner, release).update()
    (command,) = runner.commands
    assert (f"Dir::Etc::sourcelist={tmp_path}/apt/sources.list" in command) == own
    assert ("Dir::Etc::sourceparts=-" in command) == own
    if own:
        assert " http://deb.debian.org/debian bookworm main\n" in (tmp_path / "apt/sources.list").read_text()
