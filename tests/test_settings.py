"""Settings from a kernel command line: a bad one costs itself."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from chainboot.settings import KEYS, Settings, from_parameters


def test_defaults_and_the_last_value_counts() -> None:
    assert from_parameters(["quiet", "console=ttyS0"]) == (Settings(), ())
    settings, complaints = from_parameters(["chainboot.timeout_ds=5", "chainboot.timeout_ds=70"])
    assert (settings.timeout_ds, complaints) == (70, ())


def test_every_field_can_be_set_and_is_in_the_table() -> None:
    names = [field.name for field in fields(Settings)]
    assert [key.name for key in KEYS] == names
    for name in names:
        settings, complaints = from_parameters([f"chainboot.{name}=7"])
        assert (getattr(settings, name), complaints) == (7, ())


def test_a_bad_setting_costs_itself() -> None:
    settings, complaints = from_parameters(
        ["chainboot.timeout_ds=soon", "chainboot.speed=9", "chainboot.retry_timeout_ds=9"]
    )
    assert settings == Settings(retry_timeout_ds=9)
    assert complaints == (
        "chainboot.timeout_ds=soon was ignored: it wants a whole number, in tenths of a second",
        "chainboot.speed is no setting of chainboot",
    )


def test_the_readme_has_every_setting_with_its_default() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for key in KEYS:
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| `chainboot.{key.name}=N` |")]
        assert row.endswith(f"| {getattr(Settings(), key.name)} |")
