"""What a module imports and when, from its source alone."""

from __future__ import annotations

import pytest

from chainboot.errors import ChainbootError
from chainboot.image.imports import Moment, imports_of


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import a, b.c as d", ["a loaded", "b.c loaded"]),
        ("from a import b, c", ["a(b,c) loaded"]),
        ("from a import *", ["a loaded"]),
        ("from . import x", ["p.q(x) loaded"]),
        ("from .m import x", ["p.q.m(x) loaded"]),
        ("from .. import x", ["p(x) loaded"]),
        ("def f():\n import a", ["a called"]),
        ("class C:\n import a\n def f(self):\n  import b", ["a loaded", "b called"]),
        ("async def f():\n import a", ["a called"]),
        ("try:\n import a\nexcept ImportError:\n import b", ["a guarded", "b guarded"]),
        ("try:\n import a\nexcept (KeyError, ModuleNotFoundError):\n pass", ["a guarded"]),
        ("try:\n import a\nexcept:\n pass", ["a guarded"]),
        ("try:\n import a\nexcept KeyError:\n pass\nelse:\n import c\nfinally:\n import d", ["a", "c", "d"]),
        ("try:\n pass\nexcept ImportError:\n pass\nelse:\n import c", ["c loaded"]),
        ("def f():\n try:\n  import a\n except ImportError:\n  pass", ["a guarded"]),
        ("with suppress(ImportError):\n import a", ["a guarded"]),
        ("with contextlib.suppress(ImportError):\n import a", ["a guarded"]),
        ("with suppress(KeyError):\n import a", ["a loaded"]),
        ("if sys.platform == 'win32':\n import a\nelse:\n import b", ["a guarded", "b guarded"]),
        ("def f():\n if g():\n  import a", ["a called"]),
        ("if TYPE_CHECKING:\n import a\nelse:\n import b", ["b loaded"]),
        ("if typing.TYPE_CHECKING:\n import a", []),
        ("if __name__ == '__main__':\n import a", []),
        ("x = importlib.import_module('a.b')\ny = __import__('c')", ["a.b guarded", "c guarded"]),
        ("x = import_module(name)\ny = import_module('.a', p)", []),
        ("match x:\n case 1:\n  import a", ["a loaded"]),
        ("while x:\n import a", ["a loaded"]),
        ("for x in y:\n pass\nelse:\n import a", ["a loaded"]),
        ("f = lambda: __import__('a')", ["a guarded"]),
        ("\N{BYTE ORDER MARK}import a", ["a loaded"]),
        ("", []),
    ],
)
def test_what_is_imported_and_when(source: str, found: list[str]) -> None:
    wanted = [item if " " in item else f"{item} loaded" for item in found]
    read = imports_of(source.encode(), "p.q.r", is_package=False)
    assert [
        f"{item.name}{'(' + ','.join(item.members) + ')' if item.members else ''} {item.moment.value}" for item in read
    ] == wanted


def test_relative_imports_of_a_package_start_from_itself() -> None:
    (found,) = imports_of(b"from .m import x", "p.q", is_package=True)
    assert (found.name, found.members, found.moment, found.line) == ("p.q.m", ("x",), Moment.LOADED, 1)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import", "the source of the Python module p cannot be read: invalid syntax (<unknown>, line 1)"),
        ("\nfrom ... import x", "the Python module p imports from above its package, line 2"),
        ("\0", "the source of the Python module p cannot be read: source code string cannot contain null bytes"),
    ],
)
def test_sources_that_cannot_be_read(source: str, words: str) -> None:
    with pytest.raises(ChainbootError) as refused:
        imports_of(source.encode(), "p", is_package=True)
    assert str(refused.value) == words
