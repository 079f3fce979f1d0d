"""The corpus check: `python -m corpus_check.run CORPUS`, where CORPUS holds public/, oracle/ and nixos-builder/.

Every configuration is read; what comes out is held against what each project's own tests say about it
(published.py), against syslinux' own menu parser (syslinux.py) and against the files that NixOS's builder made
(nixos_builder.py). Prints the counts; exits with 1 where anything raised or differs without a reason.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from corpus_check import nixos_builder, published
from corpus_check.oracle import read_oracle
from corpus_check.syslinux import Comparison
from corpus_check.tally import Tally
from fuzz.parser_target import one_input

from chainboot.extlinux.evaluation import resolve
from chainboot.extlinux.menu import BootMenu
from chainboot.extlinux.parser import Document, parse


def read(public: Path, file: str) -> BootMenu:
    """A file of the corpus. INCLUDE is served from the file's own directory, as it was for the oracle."""
    directory = (public / file).parent

    def read_include(name: str) -> Document | None:
        try:
            return parse((directory / name).read_bytes(), name)
        except (OSError, ValueError):
            return None

    return resolve(parse((public / file).read_bytes(), file), read_include)


def everything(corpus: Path) -> str:
    """Read and list every file there is, tables included; whatever raises ends the run."""
    files = sorted(path for path in corpus.rglob("*") if path.is_file())
    entries = 0
    for path in files:
        entries += len(one_input(path.read_bytes()).entries)
    return f"{len(files)} files read and listed, none raised; {entries} entries\n"


def syslinux(corpus: Path) -> Tally:
    """Every file of public/ that the oracle has, which are all but the tables."""
    tally = Tally("syslinux com32/menu/readconfig.c")
    path = corpus / "oracle/syslinux_menu.json"
    for file, theirs in read_oracle(path.read_text(), str(path)).items():
        Comparison(file, read(corpus / "public", file), theirs, tally).run()
    return tally


def projects(corpus: Path) -> Tally:
    """The entries in public/expected.json."""
    path = corpus / "public/expected.json"
    with tempfile.TemporaryDirectory(prefix="chainboot-corpus-") as work:
        return published.check(published.read_cases(path.read_text(), str(path)), corpus / "public", Path(work))


def builder(corpus: Path) -> Tally:
    """The files in nixos-builder/."""
    with tempfile.TemporaryDirectory(prefix="chainboot-corpus-") as work:
        return nixos_builder.check(corpus / "nixos-builder", Path(work))


def main(corpus: Path) -> int:
    """The exit code."""
    print(everything(corpus))
    tallies = [syslinux(corpus), projects(corpus), builder(corpus)]
    for tally in tallies:
        print(tally.table())
    bad = sum(len(tally.unexplained) for tally in tallies)
    print(f"{bad} unexplained" if bad else "everything agrees, or differs for a reason that is written down")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
