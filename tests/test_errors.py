"""Errors and diagnostics as a person reads them."""

from __future__ import annotations

from chainboot.errors import ChainbootError, Diagnostic, Severity, SourcePosition


def test_a_position_is_file_line_column() -> None:
    assert str(SourcePosition("a\x1b.conf", 7, 3)) == "a\N{REPLACEMENT CHARACTER}.conf:7:3"


def test_an_error_says_where_and_what() -> None:
    error = ChainbootError("no \x1b kernel", position=SourcePosition("f", 1, 2), hint="look")
    assert str(error) == "f:1:2: no \N{REPLACEMENT CHARACTER} kernel"
    assert str(ChainbootError("plain")) == "plain"


def test_a_diagnostic_without_a_place_is_one_line() -> None:
    assert Diagnostic(Severity.INFO, "code", "text").format() == "info: text [code]"


def test_a_long_line_is_shown_around_the_caret() -> None:
    line = "x" * 5000 + "HERE" + "y" * 5000
    shown = Diagnostic(Severity.ERROR, "c", "m", SourcePosition("f", 1, 5001), line).format().split("\n")
    assert len(shown[1]) == 104
    assert shown[1][len(shown[2]) - 1 :].startswith("HERE")


def test_tabs_keep_the_caret_in_its_place() -> None:
    shown = Diagnostic(Severity.ERROR, "c", "m", SourcePosition("f", 1, 3), "\t\tHERE").format().split("\n")
    assert shown[1].index("HERE") == shown[2].index("^")


def test_the_place_can_be_named_as_a_person_gave_it() -> None:
    found = Diagnostic(Severity.ERROR, "c", "m", SourcePosition("/boot/x", 1, 2))
    assert found.format("my\x1bdisk") == "my\N{REPLACEMENT CHARACTER}disk/boot/x:1:2: error: m [c]"
