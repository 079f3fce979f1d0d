"""What `log ENTRY` says."""

from __future__ import annotations

from chainboot.trial.failure_report import report, report_json

FOUND = ("the journal of that boot: x", "10:00 sshd: error")
KEPT = ("0123456789abcdef: why", "", *FOUND)

GOLDEN = """\
nixos-default: bad: it panicked

What is known of the last try:
  the journal of that boot: x
  10:00 sshd: error

What the first stage did before:
  10:01 timer: boots nixos-default"""


def test_what_was_kept_is_not_said_twice() -> None:
    log = ("10:01 timer: boots nixos-default",)
    assert report("nixos-default", "bad: it panicked", FOUND, (), log) == GOLDEN
    assert report("nixos-default", "bad: it panicked", FOUND, KEPT, log) == GOLDEN
    earlier = report("nixos-default", "bad: it panicked", FOUND, ("something else", "", "entirely"), log)
    assert "What was kept of an earlier look:\n  something else\n\n  entirely\n" in earlier
    assert "What is known" not in report("nixos-default", "bad", (), KEPT, ())


def test_nothing_is_known() -> None:
    assert (
        report("x", "good (3 boots)", (), (), ())
        == "x: good (3 boots)\n\nNothing is known of a failed try of this entry."
    )


def test_it_is_harmless_and_bounded() -> None:
    hostile = ("\x1b[2J" + "x" * 5000,) * 5000
    text = report("\x1b", "\x1b", hostile, hostile, hostile)
    assert "\x1b" not in text
    assert len(text) < 3 * 400 * 1010
    assert len(report_json("a", "b", hostile, (), ())["evidence"]) == 400


def test_json() -> None:
    assert report_json("a", "bad", FOUND, KEPT, ()) == {
        "label": "a",
        "verdict": "bad",
        "evidence": list(FOUND),
        "kept": list(KEPT),
        "log": [],
    }
