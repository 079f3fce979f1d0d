"""public/expected.json: entries that each project's own tests assert, held against what `chainboot list` would show.

Two conventions of those tests are put in place here, since they are about where a file came from and not about what
it says: a URL's server is the root of a volume, and a file in `pxelinux.cfg/` has its paths relative to the directory
above (SL-doc pxelinux.txt), so it is read from there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus_check.differences import TABLE, Row
from corpus_check.tally import Tally

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.volume import Volume, normalise, read_configuration
from chainboot.extlinux.entry import Kind
from chainboot.image.json_value import JsonValue

_MAIN = ("isolinux.cfg", "syslinux.cfg", "extlinux.conf", "default", "conf.txt")


_KEYS = (
    "label", "title", "kernel", "initrds", "cmdline", "default", "hotkey", "kind", "dtb", "image_type", "modules",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expected:
    """An entry as a test asserts it; None where it does not say. `modules` are those of a multiboot entry."""

    label: str | None
    title: str | None
    kernel: str | None
    initrds: tuple[str, ...] | None
    cmdline: str | None
    default: bool
    hotkey: str | None
    kind: str | None
    fdt: str | None
    multiboot: bool

    @classmethod
    def from_json(cls, value: JsonValue, silent: frozenset[str]) -> Expected:
        """One of a case's `entries`; fields in `silent` are not asserted by that test."""
        got = value.members(_KEYS)

        def text(name: str) -> str | None:
            return None if name not in got or name in silent or got[name].raw is None else got[name].text()

        kernel, fdt = text("kernel"), text("dtb")
        given = got["initrds"].raw is not None and "initrds" not in silent
        return cls(
            text("label"),
            text("title"),
            kernel and located(kernel),
            tuple(_initrd(item) for item in got["initrds"].strings()) if given else None,
            text("cmdline"),
            got["default"].raw is True,
            text("hotkey"),
            text("kind"),
            fdt and located(fdt),
            text("image_type") == "multiboot",
        )


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a project: where its files lie, the first one being the configuration, and what comes of them."""

    project: str
    files: tuple[tuple[str, str], ...]
    entries: tuple[Expected | None, ...]
    timeout_s: int | None

    @property
    def name(self) -> str:
        """The main file, as the corpus names it."""
        return self.files[0][1]

    @classmethod
    def from_json(cls, value: JsonValue) -> Case:
        """One of the `cases`."""
        got = value.members(("project", "test", "files", "entries", "notes", "not_asserted", "timeout_s"))
        raw = got["files"].raw
        names = [str(name) for name in raw] if isinstance(raw, dict) else []
        files = [(located(place), file.string()) for place, file in got["files"].members(names).items()]
        files.sort(key=lambda each: each[0].rpartition("/")[2] not in _MAIN)  # stable: the main file comes first
        silent = frozenset(got["not_asserted"].strings()) if "not_asserted" in got else frozenset()
        entries = tuple(
            None if item.raw is None else Expected.from_json(item, silent) for item in got["entries"].items()
        )
        timeout = got["timeout_s"].integer(0, 1000) if "timeout_s" in got else None
        return cls(got["project"].string(), tuple(files), entries, timeout)


def located(path: str) -> str:
    """A path or URL of a test as a path inside a volume."""
    scheme, found, rest = path.partition("://")
    if found and scheme in ("tftp", "http"):
        path = "/" + rest.partition("/")[2]
    return normalise(path.replace("/pxelinux.cfg/", "/"))


def _initrd(path: str) -> str:
    """Like `located`, but a URL of another server than the configuration's stays one."""
    return path if path.startswith("http://someplace") else located(path)


def read_cases(text: str, name: str) -> tuple[Case, ...]:
    """All cases of the document."""
    got = JsonValue.parse(text, name).members(("_about", "commits", "cases"))
    return tuple(Case.from_json(case) for case in got["cases"].items())


def check(cases: Sequence[Case], public: Path, work: Path) -> Tally:
    """Every case, its files laid out in a directory of its own below `work`."""
    tally = Tally("entries that the projects' own tests assert (public/expected.json)")
    unused = dict.fromkeys(TABLE)
    for number, case in enumerate(cases):
        root = work / str(number)
        for place, file in case.files:
            (root / place[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(public / file, root / place[1:])
        configuration = read_configuration(Volume(str(root), case.project), case.files[0][0])
        timeout = configuration.menu.timeout_ds
        if case.timeout_s is not None:
            _count(tally, unused, Row(case.name, "", "timeout_ds", str(timeout), str(case.timeout_s * 10)))
        for row, reason in _rows(case, candidates([configuration])):
            _count(tally, unused, row, reason)
    for row in unused:
        tally.differs(row.file, "the table of differences", "this row is not needed any more", str(row))
    return tally


def _count(tally: Tally, unused: dict[Row, None], row: Row, reason: str | None = None) -> None:
    if row.ours == row.theirs:
        tally.same(row.field)
    elif reason is not None:
        tally.explained(row.field, reason)
    elif row in TABLE:
        unused.pop(row, None)
        tally.explained(row.field, TABLE[row])
    else:
        tally.differs(f"{row.file} [{row.entry}]", row.field, row.ours, row.theirs)


def _rows(case: Case, ours: Sequence[Candidate]) -> Iterator[tuple[Row, str | None]]:
    """What to compare, field by field, and the reason where a rule explains the difference."""
    left = list(ours)
    matched: list[int] = []
    for number, theirs in enumerate(case.entries):
        if theirs is None:  # this test only counts the entry
            left.remove(ours[number])
            continue
        mine = max(left, key=lambda each: _likeness(each, theirs), default=None)
        name = theirs.label or theirs.title or ""
        if mine is None or _likeness(mine, theirs) < 2:
            yield Row(case.name, name, "entry", "", name), None
            continue
        left.remove(mine)
        matched.append(mine.index)
        yield Row(case.name, mine.entry.label, "entry", name, name), None
        yield from _fields(case, mine, theirs)
    for mine in left:
        listed = "an entry that kexec cannot boot is listed with its reason (6 #12, #13, #16)"
        row = Row(case.name, mine.entry.label, "entry", mine.entry.label, "")
        yield row, listed if mine.entry.reasons else None
    in_order = ", ".join(str(index) for index in sorted(matched))
    theirs_first = ", ".join(str(index) for index in matched)
    default = [mine.index for mine in ours if mine.default and mine.index in matched]
    default_first = [*default, *(index for index in sorted(matched) if index not in default)]
    reason: str | None = None
    if matched == sorted(matched, reverse=True):
        reason = "ours stand in file order, petitboot's in reverse (6 #13)"
    elif matched == default_first:
        reason = "ours stand in file order, u-root's with the default first (6 #13)"
    yield Row(case.name, "", "order", in_order, theirs_first), reason


def _likeness(mine: Candidate, theirs: Expected) -> int:
    """How much an entry of ours looks like the one a test means: the name counts twice."""
    title = (theirs.title or "").replace("^", "")
    name = mine.entry.label == theirs.label if theirs.label is not None else mine.entry.title == title
    kernel = mine.kernel.path if mine.kernel else None
    files = kernel == theirs.kernel, tuple(file.path for file in mine.initrds) == theirs.initrds
    return 2 * name + 2 * (mine.cmdline == theirs.cmdline) + sum(files)


def _fields(case: Case, mine: Candidate, theirs: Expected) -> Iterator[tuple[Row, str | None]]:
    label = mine.entry.label
    multiboot = None
    if theirs.multiboot and mine.entry.kind is Kind.COM32:
        multiboot = "KERNEL mboot.c32 is not bootable, and says so (6 #16)"
    if theirs.title is not None:
        plain = theirs.title.replace("^", "")
        reason = "every ^ is a mark and not shown (6 #15)" if plain == mine.entry.title else None
        yield Row(case.name, label, "title", mine.entry.title, theirs.title), reason
    if theirs.kernel is not None:
        yield Row(case.name, label, "kernel", mine.kernel.path if mine.kernel else "", theirs.kernel), multiboot
    if theirs.initrds is not None:
        files = " ".join(file.path for file in mine.initrds)
        yield Row(case.name, label, "initrds", files, " ".join(theirs.initrds)), None
    if theirs.cmdline is not None:
        yield Row(case.name, label, "cmdline", mine.cmdline, theirs.cmdline), multiboot
    if theirs.default:
        yield Row(case.name, label, "default", str(mine.default), "True"), None
    if theirs.hotkey is not None:
        yield Row(case.name, label, "hotkey", mine.entry.hotkey or "", theirs.hotkey), None
    if theirs.kind is not None:
        word = f"{mine.entry.kernel_keyword} {mine.entry.kernel or ''}".strip().lower()
        yield Row(case.name, label, "kind", word, theirs.kind), None
    if theirs.fdt is not None:
        yield Row(case.name, label, "fdt", mine.fdt.path if mine.fdt else "", theirs.fdt), None
