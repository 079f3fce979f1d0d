"""nixos-builder/: files that nixpkgs' own extlinux-conf-builder.sh wrote, with the /boot tree that it made.

These must agree entirely: every entry is found, nothing is complained about, every path leads to a file of the tree.
What the file says is read here by its rigid shape alone, so that it does not depend on our reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from corpus_check.tally import Tally

from chainboot.boot.candidate import Candidate, candidates
from chainboot.boot.volume import Configuration, Volume, find_configurations, normalise, read_configuration
from chainboot.listing import list_json

_BLOCK = re.compile(
    r"^LABEL (?P<label>\S+)\n  MENU LABEL (?P<title>.+)\n  LINUX (?P<linux>\S+)\n  INITRD (?P<initrd>\S+)\n"
    r"  APPEND (?P<append>.+)\n(?:  FDTDIR (?P<fdtdir>\S+)\n|  FDT (?P<fdt>\S+)\n)?",
    re.MULTILINE,
)
_TITLE = re.compile(r"NixOS - (?:Default|Configuration (?P<generation>[0-9]+)-(?P<specialisation>\S+) \(.*\))")

# What `-t` gives in tenths of a second (nixpkgs#318778 changed 0: from -10, which U-Boot takes for never, to 1).
_TIMEOUTS = {"2405-t0": -10, "2411-t0": 1, "2405-tnull": 0, "2411-tnull": 0, "2405-t5": 50, "2411-t5": 50}


@dataclass(frozen=True, slots=True)
class _Build:
    """One run of the builder, its tree laid out with empty files."""

    name: str
    text: str
    root: Path
    configuration: Configuration


def check(folder: Path, work: Path) -> Tally:
    """Every run below `folder`; `work` is an empty directory for the trees."""
    tally = Tally("files of NixOS's extlinux-conf-builder.sh (nixos-builder/)")
    for path in sorted(folder.glob("*/extlinux.conf")):
        build = _lay_out(path, work / path.parent.name)
        for field, ours, theirs in _fields(build):
            if ours == theirs:
                tally.same(field)
            else:
                tally.differs(build.name, field, ours, theirs)
    return tally


def _lay_out(path: Path, root: Path) -> _Build:
    root.mkdir(parents=True)
    names = [line for line in (path.parent / "tree.txt").read_text().splitlines() if line != "."]
    for name in names:
        here = root / name
        if any(other.startswith(f"{name}/") for other in names):
            here.mkdir(parents=True, exist_ok=True)
        else:
            here.parent.mkdir(parents=True, exist_ok=True)
            here.write_bytes(b"")
    text = path.read_text()
    (root / "extlinux/extlinux.conf").write_text(text)
    volume = Volume(str(root), path.parent.name)
    ((found,), _) = find_configurations(volume)
    return _Build(path.parent.name, text, root, read_configuration(volume, found))


def _fields(build: _Build) -> Iterator[tuple[str, str, str]]:
    """A field, ours and theirs, for everything that the builder wrote."""
    menu = build.configuration.menu
    among = candidates([build.configuration])
    blocks = list(_BLOCK.finditer(build.text))
    yield "diagnostics", " ".join(each.code for each in menu.diagnostics), ""
    yield "entries", str(len(among)), str(build.text.count("\nLABEL "))
    yield "entries in shape", str(len(blocks)), str(len(among))
    yield "default", among[0].entry.label if among and among[0].default else "", "nixos-default"
    (timeout,) = re.findall(r"^TIMEOUT (-?[0-9]+)$", build.text, re.MULTILINE)
    yield "timeout", str(menu.timeout_ds), timeout
    wanted = next((tenths for start, tenths in _TIMEOUTS.items() if build.name.startswith(start)), int(timeout))
    yield "timeout of the option", str(menu.timeout_ds), str(wanted)
    yield "menu asked for", str(menu.menu_requested), str("\nMENU TITLE " in build.text)
    for candidate, block in zip(among, blocks, strict=False):
        yield from _entry(build, candidate, block)
    yield "listed", str(bool(list_json([build.configuration], among))), "True"


def _entry(build: _Build, candidate: Candidate, block: re.Match[str]) -> Iterator[tuple[str, str, str]]:
    entry = candidate.entry
    yield "label", entry.label, block["label"]
    yield "title", entry.title, block["title"]
    yield "command line", candidate.cmdline, block["append"]
    yield "line", str(entry.position.line), str(build.text.count("\n", 0, block.start()) + 1)
    yield "bootable", "; ".join(candidate.reasons), ""
    yield "kernel", candidate.kernel.path if candidate.kernel else "", normalise(f"/extlinux/{block['linux']}")
    yield "initrd", " ".join(file.path for file in candidate.initrds), normalise(f"/extlinux/{block['initrd']}")
    yield "fdt", candidate.fdt.path if candidate.fdt else "", _path(block["fdt"])
    yield "fdt is there", (candidate.fdt.problem or "") if candidate.fdt else "", ""
    yield "fdtdir", _path(entry.fdtdir), _path(block["fdtdir"])
    there = (build.root / _path(entry.fdtdir)[1:]).is_dir() if entry.fdtdir else True
    yield "fdtdir is there", str(there), "True"
    said = _TITLE.fullmatch(block["title"])
    generation, specialisation = (said["generation"], said["specialisation"]) if said else ("", "")
    nixos = entry.nixos
    yield "generation", str(nixos and nixos.generation), str(generation and int(generation))
    wanted = None if specialisation in ("", None, "default") else specialisation
    yield "specialisation", str(nixos and nixos.specialisation), str(wanted)


def _path(value: str | None) -> str:
    return normalise(f"/extlinux/{value}") if value else ""
