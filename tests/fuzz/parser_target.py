"""What must hold for any bytes whatsoever: they are read, resolved and listed, and the result is consistent.

Knows nothing of the fuzzer; fuzz_parser.py and the tests hand it inputs. INCLUDE is served from the same bytes: they
are cut at RS (0x1e), the first part is the configuration, the others are the files it may include.
"""

from __future__ import annotations

import json
import tempfile
import unicodedata

from chainboot.boot.candidate import candidates
from chainboot.boot.inspection import findings
from chainboot.boot.volume import Configuration, Volume
from chainboot.extlinux.evaluation import resolve
from chainboot.extlinux.menu import BootMenu
from chainboot.extlinux.parser import Document, parse
from chainboot.listing import check_json, list_json, list_text

SEPARATOR = b"\x1e"
NAME = "/boot/extlinux/extlinux.conf"

# Control, format, surrogate and private characters, and those that end a line.
_ACTING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# An empty disk: every path of the input is looked for, and no host file is in reach.
_EMPTY = tempfile.TemporaryDirectory(prefix="chainboot-fuzz-")


def one_input(data: bytes) -> BootMenu:
    """Read `data` in every way there is; raises where anything raises or contradicts itself."""
    main, *others = data.split(SEPARATOR)

    def read_include(name: str) -> Document | None:
        if not others:
            return None
        number = sum(name.encode("utf-8", "surrogateescape")) % len(others)
        return parse(others[number], f"{number}.cfg")

    document = parse(main, NAME)
    menu = resolve(document, read_include)
    resolve(document, read_include, accumulate_initrds=True)
    _consistent(document, menu)
    configuration = Configuration(Volume(_EMPTY.name, "fuzz"), NAME, menu)
    among = candidates([configuration])
    json.loads(json.dumps(list_json([configuration], among)))
    found = findings([configuration], among, "x86_64")
    json.loads(json.dumps(check_json(found)))
    for text in (list_text(among), "\n".join(finding.format() for finding in found)):
        text.encode()
        assert not any(_acts(char) for char in text if char != "\n"), "a terminal would act on this"
    return menu


def _acts(char: str) -> bool:
    """Whether a terminal may do something else with a character than show it."""
    return unicodedata.category(char) in _ACTING


def _consistent(document: Document, menu: BootMenu) -> None:
    """Every index leads somewhere, every entry has its one row, every menu but the top one hangs in its parent."""
    entries = [row.entry for each in menu.menus for row in each.rows if row.entry is not None]
    assert sorted(entries) == list(range(len(menu.entries)))
    assert entries == sorted(entries) or len(menu.menus) > 1
    submenus = [row.menu for each in menu.menus for row in each.rows if row.menu is not None]
    assert sorted(submenus) == list(range(1, len(menu.menus)))
    for number, each in enumerate(menu.menus):
        assert each.parent is None if number == 0 else each.parent is not None and each.parent < number
        assert each.default is None or 0 <= each.default < len(menu.entries)
    assert 0 <= menu.start < len(menu.menus)
    assert menu.default is None or 0 <= menu.default < len(menu.entries)
    for node in document.nodes:
        assert document.lines[node.position.line - 1][: node.position.column - 1].strip(" \t\v\f\r") == ""
    for finding in menu.diagnostics:
        assert finding.position is not None
        assert finding.position.line >= 1
        assert finding.position.column >= 1
