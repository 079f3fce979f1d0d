"""`chainboot image`, `append-secrets` and `check-settings`: from the options to files and findings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from chainboot.errors import Diagnostic
from chainboot.image.access import access_files, later_files
from chainboot.image.archive import Compression
from chainboot.image.build import build
from chainboot.image.secrets import append_secrets, warn_of_store
from chainboot.image.settings_file import read_settings_file
from chainboot.process import run as runner
from chainboot.text import printable

if TYPE_CHECKING:
    import argparse


def run(options: argparse.Namespace, talk: Callable[[str], None]) -> str:
    """Build it, and return the report. Raises `ChainbootError`."""
    named = (given.partition("=") for given in options.package)
    report = build(
        Path(options.spec),
        Path(options.sysroot),
        Path(options.output),
        store=Path(options.store) if options.store else None,
        compression=Compression(options.compress),
        level=options.level,
        architecture=options.arch,
        packages={name: Path(path) for name, _, path in named},
        manifest=Path(options.manifest) if options.manifest else None,
        run=runner,
        say=talk,
        additions=access_files(
            [Path(name) for name in options.authorized_keys],
            Path(options.host_key) if options.host_key else None,
            options.set,
            Path(options.settings) if options.settings else None,
        ),
    )
    return report.describe()


def append(options: argparse.Namespace, talk: Callable[[str], None]) -> str:
    """Put keys and settings behind an initrd, and return a line on it. Raises `ChainbootError`."""

    def say(text: str) -> None:
        talk(f"chainboot: {printable(text)}")

    host_key = Path(options.host_key) if options.host_key else None
    settings = Path(options.settings) if options.settings else None
    files = later_files([Path(name) for name in options.authorized_keys], host_key, settings)
    warn_of_store([host_key] if host_key else [], say)
    return append_secrets(Path(options.initrd), Path(options.output), files, say)


def check_settings(options: argparse.Namespace) -> tuple[Diagnostic, ...]:
    """What the first stage would not take of a file of settings. Raises `ChainbootError` where it cannot be read."""
    return read_settings_file(Path(options.file))[1]
