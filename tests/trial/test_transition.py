"""What a start, a blessing, a deadline and a wish make of the record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainboot.errors import RefusedError
from chainboot.trial.record import EntryRecord, Record, Request
from chainboot.trial.transition import (
    UNPROVED,
    ask,
    bless,
    clear_request,
    expire,
    forgive,
    keep_only,
    known_time,
    settle,
    start,
    take_back,
)

NEW, OLD, GONE = "6" * 16, "5" * 16, "4" * 16
NOW = 1_800_000_000
LATER = NOW + 600


def one(record: Record, digest: str = NEW) -> EntryRecord:
    found = record.find(digest)
    assert found is not None
    return found


GOOD = Record(7, (EntryRecord(OLD, good=True, boots=3, since=NOW - 1000),))


def test_a_start_that_was_none_is_taken_back() -> None:
    new, started = Record(), start(Record(), NEW, 2, NOW)
    back = take_back(started, NEW)
    assert (back.started, back.find(NEW)) == ("", replace(started.entries[0], tries_left=2, tries_done=0))
    spent = start(back, NEW, 2, NOW)
    assert spent.find(NEW) == started.find(NEW)
    last = start(start(new, NEW, 2, NOW), NEW, 2, NOW)
    assert take_back(last, NEW).entries[0].tries_left == 1
    for record in (new, back, bless(started, NEW, NOW)):
        assert take_back(record, NEW) == record
    assert take_back(started, OLD) == started


def test_a_new_entry_has_its_tries_and_spends_one() -> None:
    record = start(GOOD, NEW, 2, NOW)
    assert record.entries == (EntryRecord(NEW, tries_left=1, tries_done=1, since=NOW), *GOOD.entries)
    assert (record.started, record.expired, record.sequence) == (NEW, False, 7)


def test_two_starts_without_a_blessing_make_it_bad_and_say_why() -> None:
    record = start(GOOD, NEW, 2, NOW)
    record = start(record, NEW, 2, LATER)
    assert one(record) == EntryRecord(NEW, tries_left=0, tries_done=2, since=LATER, why=UNPROVED)
    assert one(record).bad
    assert record.started == NEW


def test_a_good_entry_is_started_without_a_trace() -> None:
    assert start(GOOD, OLD, 2, NOW) == GOOD


def test_starting_a_good_one_settles_what_was_open() -> None:
    record = start(start(GOOD, NEW, 1, NOW), OLD, 1, LATER)
    assert record.started == ""
    assert one(record) == EntryRecord(NEW, tries_left=0, tries_done=1, since=NOW, why=UNPROVED)
    assert one(record, OLD) == GOOD.entries[0]


def test_a_bad_entry_that_a_person_starts_has_no_try_to_spend() -> None:
    bad = EntryRecord(NEW, tries_done=2, since=NOW, why="it panicked")
    record = start(Record(1, (bad,)), NEW, 2, LATER)
    assert one(record) == replace(bad, tries_done=3, since=LATER)
    assert record.started == NEW


def test_without_tries_nothing_is_counted() -> None:
    assert start(GOOD, NEW, 0, NOW) == GOOD
    asked = replace(GOOD, request=Request(NEW, once=True))
    assert start(asked, NEW, 0, NOW) == GOOD


def test_a_request_for_one_boot_is_fulfilled_by_that_boot_alone() -> None:
    asked = replace(GOOD, request=Request(OLD, once=True))
    assert start(asked, OLD, 2, NOW).request is None
    assert start(asked, NEW, 2, NOW).request == asked.request
    stays = replace(GOOD, request=Request(OLD, once=False))
    assert start(stays, OLD, 2, NOW).request == stays.request


def test_blessed_it_is_good_and_its_tries_are_forgotten() -> None:
    record = bless(start(start(GOOD, NEW, 2, NOW), NEW, 2, NOW), NEW, LATER)
    assert record.entries[0] == EntryRecord(NEW, good=True, boots=1, since=LATER)
    assert record.started == ""
    again = bless(record, NEW, LATER + 5)
    assert one(again) == EntryRecord(NEW, good=True, boots=2, since=LATER)


def test_the_entry_that_was_blessed_last_stands_first() -> None:
    record = bless(bless(Record(), NEW, NOW), OLD, NOW)
    assert [entry.digest for entry in record.entries] == [OLD, NEW]
    assert [entry.digest for entry in bless(record, NEW, NOW).entries] == [NEW, OLD]


def test_blessing_another_entry_leaves_the_open_one_open() -> None:
    record = bless(start(GOOD, NEW, 2, NOW), OLD, LATER)
    assert record.started == NEW
    assert one(record, OLD).boots == 4


def test_an_entry_that_was_given_up_is_not_blessed_any_more() -> None:
    record = expire(start(GOOD, NEW, 2, NOW), NEW, "nobody confirmed it within 600 s", LATER)
    assert record.expired
    assert one(record).why == "nobody confirmed it within 600 s"
    with pytest.raises(RefusedError, match="too late"):
        bless(record, NEW, LATER)
    assert one(bless(record, OLD, LATER), OLD).boots == 4, "another one may be"


def test_its_next_start_is_a_new_chance() -> None:
    record = expire(start(GOOD, NEW, 2, NOW), NEW, "late", LATER)
    record = start(record, NEW, 2, LATER)
    assert (record.started, record.expired, one(record).tries_left) == (NEW, False, 0)
    assert one(bless(record, NEW, LATER)).good


def test_what_its_own_system_said_counts_more() -> None:
    record = expire(start(GOOD, NEW, 2, NOW), NEW, "sshd does not answer", LATER)
    assert one(settle(record, "no word of it", LATER + 1)).why == "sshd does not answer"
    assert one(settle(start(GOOD, NEW, 2, NOW), "it panicked", LATER)).why == "it panicked"


def test_an_older_reason_gives_way_to_the_newer() -> None:
    record = settle(start(GOOD, NEW, 2, NOW), "it panicked", NOW)
    record = settle(start(record, NEW, 2, LATER), "it hung", LATER)
    assert one(record).why == "it hung"
    assert one(settle(start(record, NEW, 2, LATER), "", LATER)).why == UNPROVED


def test_settled_is_settled() -> None:
    record = settle(start(GOOD, NEW, 2, NOW), "it panicked", LATER)
    assert (record.started, record.expired) == ("", False)
    assert settle(record, "other", LATER) == record
    assert one(record).since == NOW, "it became what it is when it was started"


def test_settling_an_entry_that_is_gone_or_good_only_closes_it() -> None:
    assert settle(replace(GOOD, started=GONE, expired=True), "x", NOW) == GOOD
    assert settle(replace(GOOD, started=OLD), "x", NOW) == GOOD


def test_expiring_twice_keeps_the_first_reason() -> None:
    record = expire(start(GOOD, NEW, 2, NOW), NEW, "first", NOW)
    assert expire(record, NEW, "second", LATER) == record


def test_a_good_entry_does_not_expire() -> None:
    assert expire(GOOD, OLD, "late", NOW) == GOOD


def test_a_try_that_the_first_stage_could_not_record_is_spent_when_it_expires() -> None:
    record = Record(1, (EntryRecord(NEW, tries_left=2),))
    assert one(expire(record, NEW, "late", NOW)) == EntryRecord(NEW, tries_left=1, tries_done=1, since=NOW, why="late")
    assert one(expire(GOOD, NEW, "late", NOW)).bad


def test_a_request_that_stays_gives_a_bad_entry_fresh_tries() -> None:
    bad = Record(1, (EntryRecord(NEW, tries_done=2, since=NOW, why="it hung"),))
    stays = ask(bad, Request(NEW, once=False, when=NOW), 3)
    assert one(stays) == EntryRecord(NEW, tries_left=3)
    assert stays.request == Request(NEW, once=False, when=NOW)
    once = ask(bad, Request(NEW, once=True, when=12), 3)
    assert one(once) == bad.entries[0]
    assert once.request == Request(NEW, once=True, when=0), "a clock at 1970 tells nothing"
    assert clear_request(once) == bad


@pytest.mark.parametrize("given", [1, 2, 9])
def test_fresh_tries_are_as_many_as_the_first_stage_has(given: int) -> None:
    record = forgive(Record(1, (EntryRecord(NEW, tries_done=2),)), NEW, given)
    record = start(record, NEW, 3, NOW)
    assert one(record) == EntryRecord(NEW, tries_left=2, tries_done=1, since=NOW)
    assert one(start(record, NEW, 9, LATER)).tries_left == 1, "a trial that has begun keeps its number"


def test_only_a_bad_entry_is_forgiven() -> None:
    trial = Record(1, (EntryRecord(NEW, tries_left=1, tries_done=1),))
    for record, digest in ((trial, NEW), (GOOD, OLD), (GOOD, GONE)):
        assert forgive(record, digest, 5) == record
    assert one(forgive(Record(1, (EntryRecord(NEW, tries_done=1),)), NEW, 0)).tries_left == 1, "one at least"


def test_entries_that_are_gone_are_forgotten() -> None:
    record = replace(start(GOOD, NEW, 2, NOW), request=Request(GONE, once=False))
    assert keep_only(record, [NEW, OLD]) == record
    kept = keep_only(record, [])
    assert [entry.digest for entry in kept.entries] == [NEW], "what was started last is not settled yet"
    assert kept.request == record.request, "somebody has to be told"


def test_a_clock_that_cannot_be_right_is_not_recorded() -> None:
    for wrong in (-5, 0, 86400, 946684799, 253402300800, 10**30):
        assert known_time(wrong) == 0
        assert one(start(Record(), NEW, 2, wrong)).since == 0
        assert one(bless(Record(), NEW, wrong)).since == 0
        assert one(expire(Record(), NEW, "x", wrong)).since == 0
    assert known_time(NOW) == NOW
    # The time at which it is settled is better than none.
    assert one(settle(start(Record(), NEW, 2, 5), "x", LATER)).since == LATER


DIGESTS = st.sampled_from([NEW, OLD, GONE])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["start", "bless", "expire", "settle", "forgive", "next", "once"]), DIGESTS),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(STEPS, st.integers(1, 4))
def test_whatever_happens_the_record_stays_in_order(steps: list[tuple[str, str]], tries: int) -> None:
    record = Record()
    for name, digest in steps:
        before = record
        match name:
            case "start":
                record = start(record, digest, tries, NOW)
                was, now = before.find(digest), one(record, digest)
                assert now.good or now.tries_left == max((was.tries_left if was else tries) - 1, 0)
                assert record.started == ("" if now.good else digest)
            case "bless" if not (record.expired and record.started == digest):
                record = bless(record, digest, NOW)
                assert one(record, digest).good
            case "expire":
                record = expire(record, digest, "late", NOW)
            case "settle":
                record = settle(record, "it hung", NOW)
                assert not record.started
            case "forgive":
                record = forgive(record, digest, tries)
            case "next" | "once":
                record = ask(record, Request(digest, once=name == "once"), tries)
        digests = [entry.digest for entry in record.entries]
        assert len(digests) == len(set(digests))
        assert all(0 <= entry.tries_left <= tries for entry in record.entries)
        good = {entry.digest for entry in before.entries if entry.good}
        assert good <= {entry.digest for entry in record.entries if entry.good}, "nothing makes a good entry bad"
        assert record.started or not record.expired
