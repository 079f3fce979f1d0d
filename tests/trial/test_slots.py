"""The form of the record: what is written is read, and no damage to one slot costs the other."""

from __future__ import annotations

import random
from binascii import crc32
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainboot.text import printable
from chainboot.trial.record import EntryRecord, Record, Request
from chainboot.trial.slots import SEQUENCE_END, SIZE, SLOT, decode, encode, target, tidy

A, B, C = "a" * 16, "b" * 16, "c" * 16
NOW = 1_800_000_000

SAMPLE = Record(
    41,
    (
        EntryRecord(A, tries_left=0, tries_done=2, since=NOW, why="it panicked: VFS: Unable to mount root fs"),
        EntryRecord(B, good=True, boots=12, since=NOW - 500),
    ),
    started=A,
    request=Request(B, once=False, instead_of=A, who="anna@desk", when=NOW),
)

SAMPLE_TEXT = (
    b"chainboot-trials 1 41 215cb0f7 232\n"
    b"entry\taaaaaaaaaaaaaaaa\tbad\t0\t2\t0\t1800000000\tit panicked: VFS: Unable to mount root fs\n"
    b"entry\tbbbbbbbbbbbbbbbb\tgood\t0\t0\t12\t1799999500\t\n"
    b"started\taaaaaaaaaaaaaaaa\topen\n"
    b"request\tbbbbbbbbbbbbbbbb\tstays\taaaaaaaaaaaaaaaa\t1800000000\tanna@desk\n"
)

DIGESTS = st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}")
TIMES = st.just(0) | st.integers(946684800, 253402300799)
CLEAN = st.text(st.characters(categories=["L", "N", "P", "S", "M", "Zs"]), max_size=40)


@st.composite
def records(draw: st.DrawFn, most: int = 5) -> Record:
    """Any record that chainboot itself would make."""
    entries = draw(
        st.lists(
            st.builds(
                EntryRecord,
                DIGESTS,
                good=st.booleans(),
                tries_left=st.integers(0, 99),
                tries_done=st.integers(0, 10**9),
                boots=st.integers(0, 10**9),
                since=TIMES,
                why=CLEAN,
            ),
            max_size=most,
            unique_by=lambda entry: entry.digest,
        )
    )
    known = st.sampled_from([entry.digest for entry in entries]) | DIGESTS if entries else DIGESTS
    started = draw(st.just("") | known)
    return Record(
        draw(st.integers(0, SEQUENCE_END - 1)),
        tuple(entries),
        started,
        bool(started) and draw(st.booleans()),
        draw(st.none() | st.builds(Request, known, st.booleans(), st.just("") | DIGESTS, CLEAN, TIMES)),
    )


ANYTHING = st.integers() | st.integers(-(10**40), 10**40)
WILD_ENTRIES = st.builds(
    EntryRecord,
    DIGESTS | st.sampled_from([A, B]) | st.text(max_size=20),
    good=st.booleans(),
    tries_left=ANYTHING,
    tries_done=ANYTHING,
    boots=ANYTHING,
    since=ANYTHING,
    why=st.text(st.characters(), max_size=300),
)
WILD = st.builds(
    Record,
    st.integers(0, SEQUENCE_END - 1),
    st.lists(WILD_ENTRIES, max_size=8).map(tuple),
    DIGESTS | st.text(max_size=20),
    st.booleans(),
    st.none() | st.builds(Request, DIGESTS | st.text(), st.booleans(), st.text(), st.text(), ANYTHING),
)


def test_a_slot_is_text() -> None:
    slot = encode(SAMPLE)
    assert slot == SAMPLE_TEXT.ljust(SLOT, b"\n")
    assert decode(slot + slot).record == SAMPLE


@settings(deadline=None)
@given(records())
def test_what_is_written_is_read(record: Record) -> None:
    slot = encode(record)
    assert len(slot) == SLOT
    assert tidy(record) == record
    found = decode(slot + b"\0" * SLOT)
    assert (found.record, found.current, found.unknown_version) == (record, 0, False)
    assert found.problems == ("slot 2 of the record of trials is damaged",)


@settings(deadline=None)
@given(WILD)
def test_whatever_is_given_is_cleaned_and_then_stays(record: Record) -> None:
    clean = tidy(record)
    assert tidy(clean) == clean
    assert decode(encode(record) * 2).record == clean
    for entry in clean.entries:
        assert 0 <= entry.tries_left <= 99
        assert 0 <= entry.boots <= 10**9
        assert 0 <= entry.tries_done <= 10**9
        assert printable(entry.why) == entry.why
        assert len(entry.why) <= 160


@settings(deadline=None)
@given(records(), records())
def test_the_higher_sequence_counts_and_the_other_slot_is_next(one: Record, two: Record) -> None:
    found = decode(encode(one) + encode(two))
    assert not found.problems
    assert found.record is not None
    assert found.record.sequence == max(one.sequence, two.sequence)
    assert found.record == (two if found.current == 1 else one)
    assert target(found) == (0 if found.current == 1 else 1)


@settings(max_examples=200, deadline=None)
@given(records(), st.booleans(), st.integers(0, SLOT - 1), st.binary(min_size=1, max_size=600))
def test_damage_to_one_slot_never_costs_the_other(record: Record, first: bool, at: int, noise: bytes) -> None:
    """The damaged one is read as it was (damage behind its lines) or not at all; never as something else."""
    whole, hit = encode(record), encode(replace(SAMPLE, sequence=record.sequence))
    broken = (hit[:at] + noise + hit[at + len(noise) :])[:SLOT]
    found = decode(broken + whole if first else whole + broken)
    assert found.record in (record, replace(SAMPLE, sequence=record.sequence))
    assert not found.unknown_version
    if found.problems:
        assert found.record == record
        assert found.problems == (f"slot {1 if first else 2} of the record of trials is damaged",)
        assert target(found) == (0 if first else 1), "the next write repairs it"


def test_every_flipped_bit_of_what_counts_is_noticed() -> None:
    older, newer = encode(SAMPLE), encode(replace(SAMPLE, sequence=42, started=""))
    length = len(newer.rstrip(b"\n")) + 1
    for bit in range(8 * length):
        broken = bytearray(newer)
        broken[bit // 8] ^= 1 << bit % 8
        found = decode(older + bytes(broken))
        assert found.record == SAMPLE, bit
        assert not found.unknown_version


CHANGES = [
    ("longer", replace(SAMPLE, sequence=42, entries=(EntryRecord(C, why="w" * 120), *SAMPLE.entries))),
    ("shorter", Record(42)),
    ("the same but its number", replace(SAMPLE, sequence=42)),
]


@pytest.mark.parametrize("after", [row[1] for row in CHANGES], ids=[row[0] for row in CHANGES])
@pytest.mark.parametrize("left", ["an older record", "zeros", "noise"])
def test_a_write_torn_at_every_byte_leaves_the_old_record_or_the_new(after: Record, left: str) -> None:
    before = {
        "an older record": encode(replace(SAMPLE, sequence=40, request=None)),
        "zeros": bytes(SLOT),
        "noise": random.Random(7).randbytes(SLOT),
    }[left]
    current, new = encode(SAMPLE), encode(after)
    seen = set()
    # Behind the lines of both there are only line feeds: not every byte there.
    for at in (*range(800), *range(800, SLOT, 61), SLOT):
        found = decode(current + new[:at] + before[at:])
        assert found.record in (SAMPLE, after)
        assert found.record is not None
        seen.add(found.record.sequence)
    assert seen == {41, 42}


def test_sectors_written_in_any_order_leave_the_old_record_or_the_new() -> None:
    """A disk may write its sectors in another order than they were given; a power cut leaves any set of them."""
    chance = random.Random(7)
    # Long enough for a slot of many sectors.
    entries = tuple(EntryRecord(f"{number:016x}", good=True, why="y" * 100) for number in range(90))
    old = replace(SAMPLE, sequence=40, entries=entries)
    after = replace(SAMPLE, sequence=42, entries=(*SAMPLE.entries, *entries[:-2]))
    before, current, new = encode(old), encode(SAMPLE), encode(after)
    for size in (512, 4096):
        sectors = range(SLOT // size)
        for _ in range(1000):
            written = set(chance.sample(sectors, chance.randint(0, len(sectors))))
            slot = b"".join((new if each in written else before)[each * size : (each + 1) * size] for each in sectors)
            found = decode(slot + current).record
            assert found in (SAMPLE, after)
            assert (found == after) or len(written) < len(sectors)


def test_more_than_a_hundred_entries_with_short_reasons_fit() -> None:
    many = (EntryRecord(f"{n:016x}", False, 1, 99, 9999, NOW, "r" * 80) for n in range(500))
    full = Record(SEQUENCE_END - 1, tuple(many))
    kept = tidy(full).entries
    assert len(kept) >= 100
    assert kept == full.entries[: len(kept)], "those that changed last"
    bare = Record(0, tuple(EntryRecord(f"{n:016x}", True, boots=9999, since=NOW) for n in range(500)))
    assert len(tidy(bare).entries) >= 300


@settings(deadline=None)
@given(st.integers(150, 400), st.lists(st.integers(0, 399), min_size=3, max_size=3), st.text(max_size=160))
def test_what_is_needed_is_never_dropped(many: int, places: list[int], why: str) -> None:
    started, asked, good = (f"{place % many:016x}" for place in places)
    entries = tuple(
        EntryRecord(digest, good=digest == good, tries_left=1, boots=10**8, why=f"{why} {'and so on ' * 16}")
        for digest in (f"{number:016x}" for number in range(many))
    )
    record = Record(1, entries, started, request=Request(asked, once=True, who="\N{GRINNING FACE}" * 99))
    slot = encode(record)
    assert len(slot) == SLOT
    found = decode(slot + slot).record
    assert found is not None
    kept = [entry.digest for entry in found.entries]
    assert {started, asked, good} <= set(kept)
    assert len(kept) < many
    assert kept == sorted(kept), "the order stays"
    others = [digest for digest in kept if digest not in (started, asked, good)]
    left = [entry.digest for entry in entries if entry.digest not in (started, asked, good)]
    assert others == left[: len(others)], "those that changed last"


def test_both_slots_damaged() -> None:
    found = decode(b"\n" * SIZE)
    assert (found.record, found.current, found.unknown_version, target(found)) == (None, None, False, 0)
    assert found.problems == (
        "slot 1 of the record of trials is damaged",
        "slot 2 of the record of trials is damaged",
    )


@pytest.mark.parametrize("size", [0, 1, 100, SLOT - 1, SLOT, SLOT + 100, SIZE - 1])
def test_a_file_that_was_cut_off(size: int) -> None:
    found = decode((encode(SAMPLE) + encode(replace(SAMPLE, sequence=42)))[:size])
    assert found.problems[0] == f"the record of trials has {size} bytes instead of {SIZE}"
    sequence = None if size < 200 else 41 if size < SLOT + 200 else 42
    assert (found.record.sequence if found.record else None) == sequence, "what is whole counts"


def test_a_file_that_has_grown() -> None:
    found = decode(encode(SAMPLE) * 2 + b"x")
    assert found.record == SAMPLE
    assert found.problems == (f"the record of trials is longer than {SIZE} bytes",)


def slot_with(body: bytes, version: int = 1, sequence: int | bytes = 5) -> bytes:
    """A slot with a true check sum, whatever it says."""
    number = sequence if isinstance(sequence, bytes) else b"%d" % sequence
    crc = crc32(b"%d %s " % (version, number) + body)
    return (b"chainboot-trials %d %s %08x %d\n" % (version, number, crc, len(body)) + body).ljust(SLOT, b"\n")


def read(body: bytes) -> Record:
    found = decode(slot_with(body) * 2).record
    assert found is not None
    return found


@pytest.mark.parametrize("newer_first", [True, False])
@pytest.mark.parametrize("version", [0, 2, 99])
def test_another_version_is_no_damage_and_not_understood(version: int, newer_first: bool) -> None:
    newer = slot_with(b"something else entirely", version)
    found = decode(newer + encode(SAMPLE) if newer_first else encode(SAMPLE) + newer)
    assert found.unknown_version
    assert (found.record, found.current) == (None, None)
    assert found.problems == (f"the record of trials has version {version}, and this chainboot knows 1",)
    damaged = newer.replace(b"entirely", b"entirelz")
    assert decode(damaged + encode(SAMPLE)).record == SAMPLE


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"entry",
        b"note\tof a later chainboot",
        b"entry\t%s\tgood\t0\t0\t1\t0" % A.encode(),
        b"entry\t%s\tgood\t0\t0\t1\t0\twhy\tmore" % A.encode(),
        b"entry\t%s\tgood\t-1\t0\t1\t0\t" % A.encode(),
        b"entry\t%s\tgood\t0\t0\t1e3\t0\t" % A.encode(),
        b"entry\t%s\tgood\t0\t0\t1\t%s\t" % (A.encode(), b"9" * 19),
        b"entry\t%s\tgood\t0\t0\t1\t%s\t" % (A.encode(), b"9" * 5000),
        b"entry\t../../etc/passwd\tgood\t0\t0\t1\t0\t",
        b"started\tnobody\topen",
        b"request\tnobody\tonce\t-\t0\t",
        b"request\t%s\tsometimes\t-\t0\t" % A.encode(),
        b"request\t%s\tonce\tnobody\t0\t" % A.encode(),
        b"\xff\xfe\x00\t\t\t",
    ],
    ids=range(15),
)  # fmt: skip
def test_a_line_that_says_nothing_is_passed_over(line: bytes) -> None:
    good = b"entry\t%s\tgood\t0\t0\t1\t0\t\n" % B.encode()
    assert read(line + b"\n" + good) == Record(5, (EntryRecord(B, good=True, boots=1),))


def test_a_hostile_record_is_cleaned() -> None:
    entry = b"entry\t%s\t%s\t%s\t5\t7\t3\t%s\n"
    record = read(
        entry % (A.encode(), b"trial", b"9" * 18, b"\x1b[2J" + b"w" * 9000)
        + entry % (A.encode(), b"good", b"1", b"the same again")
    )
    assert record.entries == (EntryRecord(A, False, 99, 5, 7, 0, "\N{REPLACEMENT CHARACTER}[2J" + "w" * 156),)
    assert read(b"request\t%s\tonce\t-\t7\t\x9b\xc2\x85\n" % A.encode()).request == Request(
        A, once=True, who="\N{REPLACEMENT CHARACTER}" * 2
    )


@pytest.mark.parametrize(
    "header",
    [
        b"chainboot-trials 1 5 00000000 0",
        b"chainboot-trials 1 5  00000000 0\n",
        b"chainboot-trials 1 +5 %08x 0\n" % crc32(b"1 +5 "),
        b"chainboot-trials 1 05 %08x 0\n" % crc32(b"1 5 "),
        b"chainboot-trials 1 5 %08X 0\n" % 0xABCDEF01,
        b"chainboot-trials 1 5 %08x 16380\n" % crc32(b"1 5 "),
        b"chainboot-trials 1 5 %08x -1\n" % crc32(b"1 5 "),
        b"chainboot-trials 1 1%s %08x 0\n" % (b"0" * 18, crc32(b"1 1" + b"0" * 18 + b" ")),
        b"chainboot-trials 1 %s %08x 0\n" % (b"1" * 6000, crc32(b"")),
        b"Chainboot-trials 1 5 %08x 0\n" % crc32(b"1 5 "),
    ],
    ids=range(10),
)
def test_a_first_line_that_is_none(header: bytes) -> None:
    found = decode(header.ljust(SLOT, b"\n") + encode(SAMPLE))
    assert found.problems == ("slot 1 of the record of trials is damaged",)
    assert found.record == SAMPLE


def test_the_last_sequence_there_is() -> None:
    assert decode(encode(replace(SAMPLE, sequence=SEQUENCE_END - 1)) * 2).record is not None
    for number in (SEQUENCE_END, -1):
        with pytest.raises(ValueError, match="out of range"):
            encode(replace(SAMPLE, sequence=number))


def test_a_sequence_that_nobody_reaches_is_damage() -> None:
    found = decode(slot_with(b"", sequence=10**15) + encode(SAMPLE))
    assert (found.record, len(found.problems)) == (SAMPLE, 1)
    assert target(found) == 0


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(0, SIZE))
def test_any_bytes_are_read(data: bytes, size: int) -> None:
    decode(data)
    decode((data * (size // max(len(data), 1) + 1))[:size])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=30))
def test_any_lines_with_a_true_check_sum_are_read(lines: list[bytes]) -> None:
    record = read(b"\n".join(lines)[: SLOT - 64])
    assert tidy(record) == record
