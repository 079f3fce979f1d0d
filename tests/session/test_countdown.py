"""The one countdown: what follows from what a view sees, written down so that the next view comes to the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainboot.session.countdown import Circumstances, Countdown, decode, observe, restarted

# At 100.0 s: a window of 20 s, no TOTALTIMEOUT, a grace period of 30 s, nobody here.
SEEN = Circumstances(1000, True, 200, None, 300)
HERE = replace(SEEN, attached=True)
REMOTE = replace(SEEN, attached=True, remote=True)
TOTAL = replace(SEEN, total_window_ds=900)
NEW = Countdown()
RUNS = Countdown(1150, None, started=True)


@pytest.mark.parametrize(
    ("before", "seen", "after"),
    [
        # Until disks are known and SSH answers, it does not begin.
        (NEW, replace(SEEN, ready=False), NEW),
        (NEW, SEEN, Countdown(1200, None, started=True)),
        (NEW, replace(SEEN, window_ds=0), Countdown(1000, None, started=True)),
        (NEW, TOTAL, Countdown(1200, 1900, started=True)),
        (NEW, replace(TOTAL, window_ds=None), Countdown(None, 1900, started=True)),
        # Once it runs, it runs: whoever comes to look later changes nothing.
        (RUNS, SEEN, RUNS),
        (RUNS, replace(SEEN, now_ds=1100, window_ds=5000), RUNS),
        (RUNS, replace(SEEN, ready=False), RUNS),
        (RUNS, replace(SEEN, now_ds=9000), RUNS),
        # Somebody is here: it stops.
        (NEW, HERE, Countdown(held=True)),
        (NEW, replace(HERE, ready=False), Countdown(held=True)),
        (RUNS, HERE, Countdown(None, None, started=True, held=True)),
        (RUNS, REMOTE, Countdown(None, None, started=True, held=True)),
        (RUNS, replace(SEEN, remote=True), Countdown(None, None, started=True, held=True)),
        # They have left: the grace period, however long the window is.
        (Countdown(None, None, started=True, held=True), SEEN, Countdown(1300, None, started=True)),
        (Countdown(None, None, True, True), replace(SEEN, window_ds=9999), Countdown(1300, None, started=True)),
        (Countdown(None, None, True, True), replace(SEEN, ready=False), Countdown(1300, None, started=True)),
        # They have left before it ever began: it begins, and they get the grace period at least.
        (Countdown(held=True), SEEN, Countdown(1300, None, started=True)),
        (Countdown(held=True), replace(SEEN, window_ds=400), Countdown(1400, None, started=True)),
        (Countdown(held=True), replace(SEEN, ready=False), Countdown(held=True)),
        # TOTALTIMEOUT: no key on a console stops it, somebody over SSH does.
        (NEW, replace(TOTAL, attached=True), Countdown(None, 1900, held=True)),
        (NEW, replace(TOTAL, attached=True, ready=False), Countdown(held=True)),
        (NEW, replace(TOTAL, remote=True), Countdown(held=True)),
        (Countdown(1150, 1800, True), replace(TOTAL, attached=True), Countdown(None, 1800, True, True)),
        (Countdown(1150, 1800, True), replace(TOTAL, remote=True), Countdown(None, 1800, True, True)),
        # ... who has the grace period to come back, even if it ended meanwhile.
        (Countdown(None, 900, True, True), TOTAL, Countdown(1300, 1300, True)),
        (Countdown(None, 1800, True, True), TOTAL, Countdown(1300, 1800, True)),
        (Countdown(None, 1800, True, True), replace(TOTAL, window_ds=None), Countdown(None, 1800, True)),
        (Countdown(None, 1500, held=True), TOTAL, Countdown(1300, 1500, True)),
    ],
)
def test_what_follows(before: Countdown, seen: Circumstances, after: Countdown) -> None:
    assert observe(before, seen) == after


@pytest.mark.parametrize("before", [NEW, RUNS, Countdown(None, 900, True, True)])
@pytest.mark.parametrize("attached", [False, True])
def test_a_view_that_has_nothing_to_boot_changes_nothing(before: Countdown, attached: bool) -> None:
    nothing = Circumstances(1000, True, None, None, 300, attached)
    assert observe(before, nothing) == before


def test_after_an_entry_that_did_not_load_the_next_one_has_its_window() -> None:
    assert restarted(replace(TOTAL, window_ds=50)) == Countdown(1050, 1900, started=True)
    assert restarted(replace(SEEN, window_ds=None)) == Countdown(None, None, started=True)


def test_a_stay_of_several_costs_one_grace_period() -> None:
    now = RUNS
    for seen in (HERE, REMOTE, HERE, replace(HERE, now_ds=1700)):
        now = observe(now, seen)
        assert now.deadline_ds is None
    left = observe(now, replace(SEEN, now_ds=2000))
    assert left.deadline_ds == 2300
    assert observe(left, replace(SEEN, now_ds=2200)).deadline_ds == 2300


MOMENTS = st.one_of(st.none(), st.integers(0, 10**6))
COUNTDOWNS = st.builds(Countdown, MOMENTS, MOMENTS, st.booleans(), st.booleans())
CIRCUMSTANCES = st.builds(
    Circumstances,
    st.integers(0, 10**6),
    st.booleans(),
    MOMENTS,
    MOMENTS,
    st.integers(0, 1000),
    st.booleans(),
    st.booleans(),
)


@settings(deadline=None)
@given(COUNTDOWNS, CIRCUMSTANCES)
def test_looking_twice_is_looking_once(before: Countdown, seen: Circumstances) -> None:
    once = observe(before, seen)
    assert observe(once, seen) == once


@settings(deadline=None)
@given(COUNTDOWNS, CIRCUMSTANCES)
def test_nothing_counts_down_while_somebody_is_here(before: Countdown, seen: Circumstances) -> None:
    after = observe(before, replace(seen, attached=True, window_ds=100))
    assert after.deadline_ds is None


@settings(deadline=None)
@given(COUNTDOWNS, CIRCUMSTANCES)
def test_whoever_leaves_has_the_grace_period(before: Countdown, seen: Circumstances) -> None:
    left = observe(replace(before, held=True), replace(seen, attached=False, remote=False, ready=True, window_ds=0))
    assert left.deadline_ds is not None
    assert left.deadline_ds >= seen.now_ds + seen.grace_ds


@settings(deadline=None)
@given(COUNTDOWNS)
def test_what_is_written_down_is_read_again(countdown: Countdown) -> None:
    assert decode(countdown.encode()) == countdown
    assert countdown.encode().endswith("\n")


@pytest.mark.parametrize(
    "text", ["", "\n", "1 2 3", "- - 1 0 0", "x - 1 0", "-5 - 1 0", "1.5 - 1 0", "² - 1 0", "\x00", "- - \ud800"]
)
def test_anything_else_is_a_countdown_that_has_not_begun(text: str) -> None:
    assert decode(text) == Countdown()


@settings(deadline=None)
@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    decode(text)
