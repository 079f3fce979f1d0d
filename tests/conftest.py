"""Fixtures and options that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from nixos import usual_conf, write_root


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regen", action="store_true", help="rewrite the golden files instead of comparing with them")


@pytest.fixture
def nixos_root(tmp_path: Path) -> Path:
    """A mounted disk with the usual NixOS configuration."""
    return write_root(tmp_path / "disk", usual_conf())
