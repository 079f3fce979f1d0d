"""The policy, as a table: the rows read like the sentences that ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainboot.trial.assessment import (
    Assessment,
    Kind,
    Plausible,
    Standing,
    assess,
    newest_good,
    verdict,
)
from chainboot.trial.record import EntryRecord, Record, Request

A, B, C, X = "a" * 16, "b" * 16, "c" * 16, "0" * 16
SINCE = 1_795_428_000  # 2026-11-23 10:00 UTC

# As NixOS writes them: the default is generation 6, then 5 and 4.
SIX = Plausible(A, 1, default=True, generation=6, label="nixos-6")
FIVE = Plausible(B, 2, generation=5, label="nixos-5")
FOUR = Plausible(C, 3, generation=4, label="nixos-4")
MENU = (SIX, FIVE, FOUR)


def good(digest: str, boots: int = 1) -> EntryRecord:
    return EntryRecord(digest, good=True, boots=boots)


def bad(digest: str, why: str = "it panicked", since: int = SINCE) -> EntryRecord:
    return EntryRecord(digest, tries_done=2, since=since, why=why)


def trial(digest: str, why: str = "") -> EntryRecord:
    return EntryRecord(digest, tries_left=1, tries_done=1, why=why)


def broken(entry: Plausible, why: str = "/linux does not exist") -> Plausible:
    return replace(entry, why_not=why)


def once(digest: str) -> Request:
    return Request(digest, once=True, who="anna")


def stays(digest: str, instead_of: str = A) -> Request:
    return Request(digest, once=False, instead_of=instead_of, who="anna")


@dataclass(frozen=True)
class Row:
    name: str
    known: Sequence[EntryRecord]
    boots: int | None
    kind: Kind
    reason: str
    menu: Sequence[Plausible] = MENU
    request: Request | None = None
    base: int | None = 1
    longer: bool = False
    once: bool = False


BAD = "nixos-6 is bad since 2026-11-23 10:00 UTC: it panicked."
TABLE = [
    # The default, as its trials go on.
    Row("a new entry is tried", [good(B)], 1, Kind.TRIAL, "nixos-6 is new: trial 1 of 2."),
    Row("with a record of nothing it is tried too", [], 1, Kind.TRIAL, "nixos-6 is new: trial 1 of 2."),
    Row("an unblessed one is tried again", [trial(A), good(B)], 1, Kind.TRIAL, "nixos-6 is on trial 2 of 2."),
    Row(
        "and the first failure is told",
        [trial(A, "it hung"), good(B)],
        1,
        Kind.TRIAL,
        "nixos-6 is on trial 2 of 2, the last one failed: it hung.",
    ),
    Row("a good default needs no word", [good(A), good(B)], 1, Kind.DEFAULT, ""),
    Row(
        "tries spent and unblessed: the newest good one",
        [bad(A), good(C), good(B)],
        2,
        Kind.FALLBACK,
        f"{BAD} nixos-5 boots instead: it is the newest good entry.",
    ),
    Row(
        "what is bad, new or on trial is no fallback",
        [bad(A), trial(B), good(C)],
        3,
        Kind.FALLBACK,
        f"{BAD} nixos-4 boots instead: it is the newest good entry.",
    ),
    Row(
        "a good one that cannot boot is no fallback",
        [bad(A), good(B), good(C)],
        3,
        Kind.FALLBACK,
        f"{BAD} nixos-4 boots instead: it is the newest good entry.",
        menu=(SIX, broken(FIVE), FOUR),
    ),
    Row(
        "a hidden one is no fallback",
        [bad(A), good(B), good(C)],
        3,
        Kind.FALLBACK,
        f"{BAD} nixos-4 boots instead: it is the newest good entry.",
        menu=(SIX, replace(FIVE, hidden=True), FOUR),
    ),
    Row("a hidden default boots", [good(A)], 1, Kind.DEFAULT, "", menu=(replace(SIX, hidden=True), FIVE)),
    Row(
        "a default that did not load: the newest good one",
        [good(A), good(B)],
        2,
        Kind.FALLBACK,
        "nixos-6 cannot boot: it did not load. nixos-5 boots instead: it is the newest good entry.",
        menu=(broken(SIX, "it did not load"), FIVE, FOUR),
    ),
    Row(
        "no default: the newest good one",
        [good(C)],
        3,
        Kind.FALLBACK,
        "There is no default entry. nixos-4 boots instead: it is the newest good entry.",
        base=None,
    ),
    # Nothing is good.
    Row(
        "nothing good: the default with a longer window",
        [bad(A)],
        1,
        Kind.NOTHING_GOOD,
        f"{BAD} No entry is known to be good.",
        longer=True,
    ),
    Row(
        "every generation is bad: the default with a longer window",
        [bad(A), bad(B), bad(C)],
        1,
        Kind.NOTHING_GOOD,
        f"{BAD} No entry is known to be good.",
        longer=True,
    ),
    Row(
        "nothing good and the default cannot boot: what has tries left",
        [bad(B)],
        3,
        Kind.NOTHING_GOOD,
        "nixos-6 cannot boot: /linux does not exist. No entry is known to be good; nixos-4 is next.",
        menu=(broken(SIX), FIVE, FOUR),
        longer=True,
    ),
    Row(
        "or else what is bad, in file order",
        [bad(B), bad(C)],
        2,
        Kind.NOTHING_GOOD,
        "nixos-6 cannot boot: /linux does not exist. No entry is known to be good; nixos-5 is next.",
        menu=(broken(SIX), FIVE, FOUR),
        longer=True,
    ),
    Row(
        "nothing can boot",
        [good(A)],
        None,
        Kind.NOTHING,
        "nixos-6 cannot boot: /linux does not exist. No entry is left that could boot by itself.",
        menu=(broken(SIX), replace(FIVE, hidden=True)),
    ),
    Row("an empty menu", [], None, Kind.NOTHING, "There is no default entry.", menu=(), base=None),
    # What somebody asked for.
    Row(
        "asked for one boot",
        [good(A), good(C)],
        3,
        Kind.REQUESTED,
        "nixos-4 was asked for by anna, for one boot.",
        request=once(C),
        once=True,
    ),
    Row(
        "asked for one boot, though it is bad",
        [good(A), bad(C)],
        3,
        Kind.REQUESTED,
        "nixos-4 was asked for by anna, for one boot.",
        request=once(C),
        once=True,
    ),
    Row(
        "asked for one boot, though it is hidden",
        [good(A)],
        3,
        Kind.REQUESTED,
        "nixos-4 was asked for by anna, for one boot.",
        menu=(SIX, FIVE, replace(FOUR, hidden=True)),
        request=once(C),
        once=True,
    ),
    Row(
        "asked for, and it stays",
        [good(A), good(B)],
        2,
        Kind.REQUESTED,
        "nixos-5 was asked for by anna.",
        request=stays(B),
    ),
    Row(
        "asked for, and new: it has its trials",
        [good(A)],
        2,
        Kind.REQUESTED,
        "nixos-5 was asked for by anna. nixos-5 is new: trial 1 of 2.",
        request=stays(B),
    ),
    Row(
        "it stays, but the configuration has another default since",
        [good(A), good(B)],
        1,
        Kind.DEFAULT,
        "nixos-5 was asked for by anna, but the configuration has another default since.",
        request=stays(B, X),
    ),
    Row(
        "one boot does not care for the default",
        [good(A), good(B)],
        2,
        Kind.REQUESTED,
        "nixos-5 was asked for by anna, for one boot.",
        request=replace(once(B), instead_of=X),
        once=True,
    ),
    Row(
        "it stays where there is no default, and still none",
        [good(B)],
        2,
        Kind.REQUESTED,
        "nixos-5 was asked for by anna.",
        menu=(replace(SIX, default=False), FIVE),
        request=stays(B, ""),
        base=None,
    ),
    Row(
        "asked for, tried, and bad: the configuration decides again",
        [good(A), bad(B)],
        1,
        Kind.DEFAULT,
        "nixos-5 was asked for by anna, but is bad since 2026-11-23 10:00 UTC: it panicked.",
        request=stays(B),
    ),
    Row(
        "asked for, and bad like the default: the newest good one",
        [bad(A), bad(B), good(C)],
        3,
        Kind.FALLBACK,
        "nixos-5 was asked for by anna, but is bad since 2026-11-23 10:00 UTC: it panicked. "
        f"{BAD} nixos-4 boots instead: it is the newest good entry.",
        request=stays(B),
    ),
    Row(
        "asked for, and gone",
        [good(A)],
        1,
        Kind.DEFAULT,
        "An entry that was asked for by anna is not there any more.",
        request=once(X),
    ),
    Row(
        "asked for, and it cannot boot",
        [trial(A)],
        1,
        Kind.TRIAL,
        "nixos-5 was asked for by anna, but cannot boot: /linux does not exist. nixos-6 is on trial 2 of 2.",
        menu=(SIX, broken(FIVE), FOUR),
        request=once(B),
    ),
    Row(
        "asked for by nobody known",
        [good(A)],
        2,
        Kind.REQUESTED,
        "nixos-5 was asked for, for one boot.",
        request=Request(B, once=True),
        once=True,
    ),
    # Labels and configurations.
    Row(
        "two labels of one generation stand as one",
        [bad(A), good(B)],
        3,
        Kind.FALLBACK,
        "nixos-default is bad since 2026-11-23 10:00 UTC: it panicked. "
        "nixos-5 boots instead: it is the newest good entry.",
        menu=(Plausible(A, 1, default=True, label="nixos-default"), replace(SIX, index=2, default=False),
              replace(FIVE, index=3)),
    ),
    Row(
        "asked for by an id with two labels: the one that can boot",
        [good(A), good(B)],
        4,
        Kind.REQUESTED,
        "nixos-5 was asked for by anna.",
        menu=(SIX, broken(FIVE), FOUR, replace(FIVE, index=4)),
        request=stays(B),
    ),
    Row(
        "a second configuration, whose numbers go on, with a record of its own",
        [bad(A), good(B)],
        8,
        Kind.FALLBACK,
        f"{BAD} nixos-5 boots instead: it is the newest good entry.",
        menu=tuple(replace(entry, index=entry.index + 6) for entry in MENU),
        base=7,
    ),
    Row(
        "ONTIMEOUT names another than the default",
        [good(A), good(C)],
        3,
        Kind.DEFAULT,
        "",
        base=3,
    ),
    Row(
        "a clock at 1970 knows no date",
        [bad(A, since=0), good(B)],
        2,
        Kind.FALLBACK,
        "nixos-6 is bad: it panicked. nixos-5 boots instead: it is the newest good entry.",
    ),
    Row(
        "an entry without a label has its number",
        [],
        1,
        Kind.TRIAL,
        "entry 1 is new: trial 1 of 2.",
        menu=(replace(SIX, label=""),),
    ),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_policy(row: Row) -> None:
    record = Record(5, tuple(row.known), request=row.request)
    found = assess(row.menu, record, row.base, 2)
    assert found == Assessment(row.boots, row.reason, row.kind, row.once)
    assert found.longer is row.longer


def test_without_tries_the_record_says_nothing() -> None:
    record = Record(5, (bad(A), good(B)), request=once(B))
    assert assess(MENU, record, 1, 0) == Assessment(1, "", Kind.DEFAULT)
    assert assess((broken(SIX), FIVE), record, 1, 0) == Assessment(None, "", Kind.NOTHING)


def test_the_newest_good_one_is_the_highest_generation_then_the_first() -> None:
    plain = Plausible(X, 4, label="rescue")
    everything = Record(1, (good(X), good(C), good(B)))
    assert newest_good((plain, FOUR, FIVE), everything) == FIVE
    assert newest_good((plain, FOUR, FIVE), everything, [B]) == FOUR
    assert newest_good((plain, FOUR, FIVE), everything, [B, C]) == plain
    assert newest_good((plain, FOUR, FIVE), everything, [B, C, X]) is None
    first, second = replace(plain, index=9), replace(plain, index=8)
    assert newest_good((first, second), everything) == second


def test_how_an_entry_stands() -> None:
    assert verdict(None, A, 2).standing is Standing.NEW
    for entry, standing, badge, whole in (
        (None, Standing.NEW, "new", "never booted"),
        (trial(A), Standing.TRIAL, "trial 2 of 2", "trial 2 of 2"),
        (EntryRecord(A, tries_left=1), Standing.TRIAL, "trial 1 of 2", "trial 1 of 2"),
        (EntryRecord(A, tries_left=3), Standing.TRIAL, "trial 1 of 2", "trial 1 of 2"),
        (EntryRecord(A, tries_left=3, tries_done=1), Standing.TRIAL, "trial 2 of 4", "trial 2 of 4"),
        (trial(A, "it hung"), Standing.TRIAL, "trial 2 of 2", "trial 2 of 2, the last one failed: it hung"),
        (good(A), Standing.GOOD, "good", "good (1 boot)"),
        (good(A, 12), Standing.GOOD, "good", "good (12 boots)"),
        (bad(A), Standing.BAD, "bad", "bad since 2026-11-23 10:00 UTC: it panicked"),
        (bad(A, why=""), Standing.BAD, "bad", "bad since 2026-11-23 10:00 UTC"),
        (bad(A, since=0), Standing.BAD, "bad", "bad: it panicked"),
        (bad(A, since=10**20), Standing.BAD, "bad", "bad: it panicked"),
    ):
        found = verdict(Record(1, (entry,) if entry else ()), A, 2)
        assert (found.standing, found.badge(), found.describe()) == (standing, badge, whole)


def test_the_next_start_of_an_entry_is_numbered() -> None:
    known = Record(1, (trial(A), bad(B), good(C)))
    assert [verdict(known, digest, 2).trial for digest in (A, B, C, X)] == [(2, 2), (3, 3), None, (1, 2)]


def test_what_a_disk_says_drives_no_terminal() -> None:
    evil = replace(SIX, label="a\x1b[2J" + "x" * 500)
    record = Record(1, (bad(A, "\x1b]0;" + "y" * 5000),), request=Request(X, once=True, who="\n\x07" + "z" * 5000))
    reason = assess((evil,), record, 1, 2).reason
    assert reason.isprintable()
    assert len(reason) < 700


ENTRIES = st.lists(
    st.builds(
        Plausible,
        digest=st.sampled_from([A, B, C, X]),
        index=st.integers(1, 9),
        default=st.booleans(),
        generation=st.none() | st.integers(1, 9),
        why_not=st.sampled_from(["", "", "broken"]),
        label=st.text(max_size=3),
        hidden=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda entry: entry.index,
)
KNOWN = st.lists(
    st.builds(
        EntryRecord,
        st.sampled_from([A, B, C]),
        good=st.booleans(),
        tries_left=st.integers(0, 2),
        tries_done=st.integers(0, 2),
    ),
    max_size=3,
    unique_by=lambda entry: entry.digest,
)
REQUESTS = st.none() | st.builds(Request, st.sampled_from([A, B, C, X]), st.booleans(), st.sampled_from(["", A, B]))


@settings(deadline=None)
@given(ENTRIES, KNOWN, REQUESTS, st.none() | st.integers(1, 9))
def test_whatever_is_known_nobody_is_stranded(
    menu: list[Plausible], known: list[EntryRecord], request: Request | None, base: int | None
) -> None:
    record = Record(1, tuple(known), request=request)
    found = assess(menu, record, base, 2)
    taken = next((entry for entry in menu if entry.index == found.index), None)
    could = [entry for entry in menu if entry.bootable and (entry.default or not entry.hidden or entry.index == base)]
    if taken is None:
        assert not could
        assert found.kind is Kind.NOTHING
        return
    assert taken.bootable
    standing = verdict(record, taken.digest, 2).standing
    if standing is Standing.BAD:
        assert found.once or (found.longer and newest_good(menu, record) is None), "a bad one only for want of better"
    assert found.longer == (found.kind is Kind.NOTHING_GOOD)
    if found.kind is not Kind.DEFAULT:
        assert found.reason
