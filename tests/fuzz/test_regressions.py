"""Every input that ever broke the reader, and the seeds of the fuzzer: each must hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.parser_target import one_input

HERE = Path(__file__).parent
INPUTS = sorted(
    path
    for path in (*(HERE / "regressions").glob("*"), *(HERE.parent / "corpus").rglob("*"))
    if path.is_file() and path.suffix != ".json" and path.stat().st_size
)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: "/".join(path.parts[-3:]))
def test_an_input_holds(path: Path) -> None:
    one_input(path.read_bytes())
