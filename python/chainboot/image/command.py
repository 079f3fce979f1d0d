"""`chainboot image`: from the options to an image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from chainboot.image.access import access_files
from chainboot.image.archive import Compression
from chainboot.image.build import build
from chainboot.process import run as runner

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
        ),
    )
    return report.describe()
