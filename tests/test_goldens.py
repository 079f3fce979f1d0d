"""Every configuration in tests/corpus against the `list --json` that belongs to it.

Each folder looks like a mounted disk; the golden beside it is written anew by `pytest --regen`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainboot.boot.candidate import candidates
from chainboot.boot.volume import Volume, find_configurations, read_configuration
from chainboot.listing import list_json

CORPUS = Path(__file__).parent / "corpus"
SHAPES = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_configuration_reads_as_its_golden_says(shape: str, request: pytest.FixtureRequest) -> None:
    volume = Volume(str(CORPUS / shape), shape)
    found = [read_configuration(volume, path) for path in find_configurations(volume)[0]]
    read = json.dumps(list_json(found, candidates(found)), indent=1) + "\n"
    golden = CORPUS / f"{shape}.json"
    if request.config.getoption("--regen"):
        golden.write_text(read)
    assert read == golden.read_text()


def test_every_golden_has_its_configuration() -> None:
    assert sorted(path.stem for path in CORPUS.glob("*.json")) == SHAPES
