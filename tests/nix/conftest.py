"""Fixtures for what runs Nix, and what is said at the end about what was not run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from nix.private import Flake, PrivateNix
from nix.stand_in import copy_of_the_tree, has_packages, make

from chainboot.process import run
from chainboot_vm.artifacts import BUILD, REPOSITORY


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "vm: boots a machine in QEMU; takes tens of seconds")


@pytest.fixture(scope="session")
def nix() -> PrivateNix:
    """Nix, if there is one."""
    if shutil.which("nix") is None:
        pytest.skip("nix is not installed (tools/bootstrap installs it on Debian)")
    return PrivateNix(BUILD / "nix", run)


@pytest.fixture(scope="session")
def flake(nix: PrivateNix) -> Flake:
    """This repository's flake, its uncommitted files with it, over the stand-in for nixpkgs."""
    source = copy_of_the_tree(REPOSITORY, nix.home / "source", run)
    return Flake(nix, source, make(nix))


@pytest.fixture(scope="session")
def building(flake: Flake) -> Iterator[Flake]:
    """The flake where packages can be built as well."""
    lacking = flake.nix.lacking()
    if lacking is not None:
        pytest.skip(lacking)
    if not has_packages("x86_64"):
        pytest.skip("the Debian packages of the first stage are not there (`make image` downloads them)")
    yield flake
    flake.nix.collect()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if "CHAINBOOT_NIXPKGS" not in os.environ:
        terminalreporter.write_line("nixpkgs evaluation: skipped (CHAINBOOT_NIXPKGS is not set)")
