"""Which states a power cut leaves, who reads them, and what counts as lost; FAT images, made and read."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeRunner

from chainboot.errors import ChainbootError
from chainboot.process import Completed, run
from chainboot.trial import slots
from chainboot_vm import cut_readers, cut_states, record_cuts, vfat
from chainboot_vm.cut_readers import Seen
from chainboot_vm.cut_states import State, Window, mark, states, windows
from chainboot_vm.record_cuts import CONFIGURATION, RECORD, Truth
from chainboot_vm.vfat import Vfat, VfatError
from chainboot_vm.write_log import Write

MARKS = 1 << 20
FLUSH = Write(0, b"", flush=True)
NEEDED = ("mkfs.vfat", "fsck.vfat")


def wrote(at: int, text: bytes = b"x", sectors: int = 1) -> Write:
    return Write(at * 512, text * 512 * sectors, flush=False)


def says(what: str, kind: str, number: int) -> Write:
    """A mark as it comes: somewhere in its sector, around whose end it may go."""
    text = mark(what, kind, number).ljust(512, b"\0")
    return Write(MARKS, text[-100:] + text[:-100], flush=False)


def never(_: Write) -> bool:
    return False


def always(_: Write) -> bool:
    return True


def found(window: Window, tears: bool = False) -> list[State]:
    return list(states(window, random.Random(1), always if tears else never))


# -- states


def test_windows_lie_between_flushes_and_know_how_far_the_work_was() -> None:
    a, b, c, d = (wrote(at) for at in range(4))
    record = [a, says("begin", "record", 1), b, FLUSH, says("end", "record", 1), c, says("begin", "record", 2), d]
    assert list(windows(record, MARKS)) == [
        Window((a, b), ({}, {}, {"record": 1}), {}),
        Window((c, d), ({"record": 1}, {"record": 1}, {"record": 2}), {"record": 1}),
    ]


def test_a_flush_may_have_data() -> None:
    a = Write(0, b"x" * 512, flush=True)
    assert [window.writes for window in windows([a, wrote(1)], MARKS)] == [(a,), (wrote(1),)]


def test_a_mark_that_says_nothing_is_an_error() -> None:
    with pytest.raises(ChainbootError, match="there is no mark in"):
        list(windows([Write(MARKS, bytes(512), flush=False)], MARKS))


def test_every_set_of_a_few_writes_is_a_state() -> None:
    window = Window((wrote(0), wrote(1)), ({}, {"default": 1}, {"default": 2}), {"default": 1})
    assert found(window) == [
        State((), None, {"default": 1}, {}),
        State((0,), None, {"default": 1}, {"default": 1}),
        State((1,), None, {"default": 1}, {"default": 2}),
        State((0, 1), None, {"default": 1}, {"default": 2}),
    ]


@pytest.mark.parametrize("count", [cut_states.ALL_SUBSETS, cut_states.ALL_SUBSETS + 3])
def test_many_writes_have_every_prefix_and_every_loss_of_one(count: int) -> None:
    window = Window(tuple(wrote(at) for at in range(count)), ({},) * (count + 1), {})
    kept = [state.kept for state in found(window)]
    assert len(set(kept)) == len(kept)
    everything = range(count)
    assert {tuple(everything[:size]) for size in range(count + 1)} <= set(kept)
    assert {tuple(other for other in everything if other != number) for number in everything} <= set(kept)
    assert len(kept) == 2**count if count == cut_states.ALL_SUBSETS else len(kept) > count * 3 + 50
    assert kept == [state.kept for state in found(window)]  # the same seed gives the same ones


def test_a_torn_write_has_its_first_sectors_or_its_last() -> None:
    text = b"".join(bytes([number]) * 512 for number in range(4))
    window = Window((wrote(9), Write(0, text, flush=False)), ({}, {}, {"record": 1}), {})
    torn = [(state.torn.offset // 512, len(state.torn.data) // 512) for state in found(window, True) if state.torn]
    assert torn == [(0, 1), (3, 1), (0, 2), (2, 2), (0, 3), (1, 3)]
    for state in found(window, True):
        if state.torn is not None:
            assert (state.kept, state.most) == ((0,), {"record": 1})
            assert text[state.torn.offset :].startswith(state.torn.data)


# -- what is lost


@pytest.fixture(scope="module")
def truth() -> Truth:
    return record_cuts.truth()


def seen(truth: Truth, default: int, record: int) -> Seen:
    files = {CONFIGURATION: truth.configurations[default]}
    there = truth.records[record]
    if there is not None:
        files[RECORD] = slots.encode(replace(there, sequence=there.sequence - 1)) + slots.encode(there)
    return Seen(files)


def test_the_truth_is_what_the_work_does(truth: Truth) -> None:
    assert (len(truth.records), len(truth.configurations)) == (
        1 + record_cuts.RECORD_STEPS,
        1 + record_cuts.DEFAULT_STEPS,
    )
    assert [record and record.sequence for record in truth.records] == [None, *range(1, 21)]
    defaults = [text.split(b"\nDEFAULT ")[1].split(b"\n")[0].decode() for text in truth.configurations]
    assert defaults == ["nixos-default", *["nixos-4-default", "nixos-5-default"] * 3]


@pytest.mark.parametrize(
    ("default", "record", "loss"),
    [
        (1, 4, ""),
        (2, 5, ""),
        (0, 4, "configuration 0, not 1 to 2"),
        (1, 3, "record 3, not 4 to 5"),
        (1, 6, "record 6, not 4 to 5"),
        (1, 0, "record 0, not 4 to 5"),
    ],
)
def test_what_was_finished_is_there_and_what_was_not_begun_is_not(
    truth: Truth, default: int, record: int, loss: str
) -> None:
    state = State((), None, {"default": 1, "record": 4}, {"default": 2, "record": 5})
    assert truth.loss(seen(truth, default, record), state) == loss


def test_a_text_that_is_neither_is_lost(truth: Truth) -> None:
    state = State((), None, {}, {})
    half = truth.configurations[0][:-9]
    assert truth.loss(Seen({CONFIGURATION: half}), state) == "configuration is none that was ever written, not 0 to 0"
    assert truth.loss(Seen({}), state) == "configuration is not there, not 0 to 0"
    assert truth.loss(Seen({CONFIGURATION: truth.configurations[0]}), state) == ""  # no record yet


def test_every_state_is_shown_to_every_reader_and_undone(tmp_path: Path, truth: Truth) -> None:
    """A disk of two sectors: the first says which step of the default is there, the second has to follow it."""
    base = tmp_path / "disk"
    base.write_bytes(b"0" * 1024)
    shown: list[bytes] = []

    def reader(image: Path, paths: tuple[str, ...]) -> Seen:
        assert paths == (CONFIGURATION, RECORD)
        disk = image.read_bytes()
        shown.append(disk[:1] + disk[512:513])
        return Seen({CONFIGURATION: truth.configurations[int(disk[:1])]} if disk[512:513] >= disk[:1] else {})

    record = [says("begin", "default", 1), wrote(1, b"1"), wrote(0, b"1"), FLUSH, says("end", "default", 1)]
    kept = record_cuts.replay(base, record, MARKS, truth, {"it": reader}, never, lambda _: None)
    assert shown == [b"00", b"01", b"10", b"11", b"11"]
    assert (kept.writes, kept.windows, kept.cuts, kept.torn) == (2, 2, 5, 0)
    assert kept.lost == {"it, configuration": 1}
    assert kept.examples == ["writes [1] of 2 after flush 0, it: configuration is not there, not 0 to 1"]
    assert "1 lost" in kept.describe()
    # With a flush between them the second cannot be there alone; and what has ended cannot be undone.
    ordered = [*record[:2], FLUSH, *record[2:]]
    assert record_cuts.replay(base, ordered, MARKS, truth, {"it": reader}, never, lambda _: None).lost.total() == 0
    early = [*ordered[:3], says("end", "default", 1), *ordered[3:]]
    lost = record_cuts.replay(base, early, MARKS, truth, {"it": reader}, never, lambda _: None)
    assert lost.examples == ["writes [] of 1 after flush 1, it: configuration 0, not 1 to 1"]


# -- readers


def test_an_ext4_is_read_without_its_journal_and_after_its_repair(tmp_path: Path) -> None:
    image, content = tmp_path / "disk.img", tmp_path / "content"
    content.mkdir()
    (content / "one").write_text("1")
    (content / "gone").write_text("2")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", content, image, "12M"], check=True)
    # A name whose file has been removed, as a directory shows it that was not written yet.
    subprocess.run(
        ["debugfs", "-w", "-R", "set_inode_field /gone links_count 0", image], check=True, capture_output=True
    )
    for reader in (cut_readers.ext4_as_it_is, cut_readers.ext4_repaired):
        read = reader(image, ("one", "none", "gone"))
        assert (read.files.get("one"), "none" in read.files) == (b"1", False)
    assert "gone" not in cut_readers.ext4_as_it_is(image, ("one", "gone")).files
    assert image.stat().st_size == 12 << 20


def test_what_cannot_be_repaired_is_not_there(tmp_path: Path) -> None:
    image = tmp_path / "disk"
    image.write_bytes(b"")
    runner = FakeRunner({"": Completed((), 4, "much is wrong\n")})
    read = cut_readers.ext4_repaired(image, ("one",), runner)
    assert read.files == {}
    assert "much is wrong" in read.trouble


# -- FAT

FILES = {
    "extlinux/extlinux.conf": b"x" * 3000,
    f"nixos/{'a' * 70}-bzImage": b"k" * 5000,
    "nixos/" + "b" * 26: b"as long as its slots",
    "a/b/c/deep": b"d",
    "empty": b"",
    **{f"many/file-{number:03}": b"%d" % number for number in range(200)},
}


@pytest.fixture(params=[(32, 1, 36), (16, 8, 36)], ids=["fat32", "fat16"])
def fat(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if any(shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin") is None for name in NEEDED):
        pytest.skip("needs dosfstools")
    bits, per_cluster, size = request.param
    image = tmp_path / "disk.img"
    vfat.make(image, FILES, label="boot", size_mib=size, sectors_per_cluster=per_cluster, bits=bits, run=run)
    return image


def read_fat(image: Path, paths: Sequence[str]) -> dict[str, bytes | None]:
    data = image.read_bytes()
    return {path: Vfat(lambda at, size: data[at : at + size]).file(path) for path in paths}


def test_a_fat_has_what_was_put_into_it_and_no_fault(fat: Path) -> None:
    assert read_fat(fat, list(FILES)) == FILES
    assert read_fat(fat, ["EXTLINUX/Extlinux.CONF", "extlinux", "none", "none/x"]) == {
        "EXTLINUX/Extlinux.CONF": FILES["extlinux/extlinux.conf"],
        "extlinux": None,
        "none": None,
        "none/x": None,
    }
    checked = run((vfat.program("fsck.vfat"), "-n", str(fat)), check=False)
    assert (checked.returncode, "wrong" in checked.stdout) == (0, False), checked.stdout


def test_a_file_whose_clusters_count_as_free_is_not_whole(fat: Path) -> None:
    before = fat.read_bytes()
    found = vfat.geometry(lambda at, size: before[at : at + size])
    at = before.index(b"x" * 3000)
    cluster = (at - found.data_at) // found.cluster + 2
    width = 4 if found.wide else 2
    with fat.open("r+b") as disk:
        disk.seek(found.fat_at + cluster * width)
        disk.write(bytes(width))
    with pytest.raises(VfatError, match=f"cluster {cluster} belongs to a file and counts as free"):
        read_fat(fat, ["extlinux/extlinux.conf"])
    assert "counts as free" in cut_readers.vfat_as_it_is(fat, ("extlinux/extlinux.conf", "a/b/c/deep")).trouble
    assert cut_readers.vfat_as_it_is(fat, ("a/b/c/deep",)).files == {"a/b/c/deep": b"d"}
    repaired = cut_readers.vfat_repaired(fat, ("extlinux/extlinux.conf", "a/b/c/deep")).files
    assert repaired["a/b/c/deep"] == b"d"
    assert repaired.get("extlinux/extlinux.conf") != FILES["extlinux/extlinux.conf"]


def test_what_is_no_fat_is_refused() -> None:
    with pytest.raises(VfatError, match="there is no FAT file system"):
        Vfat(lambda _, size: bytes(size))
