"""Registers the mark by which scenarios are selected (`-m vm`) or left out (`-m "not vm"`)."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "vm: boots a machine in QEMU; takes tens of seconds")
