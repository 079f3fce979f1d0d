"""Bytecode that is the same whatever the compiling process has done before."""

from __future__ import annotations

import importlib.util
import marshal
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from chainboot.errors import ChainbootError
from chainboot.image.bytecode import compile_module

SOURCE = b'''"""Doc."""
import os
def quite_unusual_function(a_parameter, *, other_parameter=12345678901, third=(1, "text with blanks", 2.5)):
    def inside():
        return a_parameter, "quite_unusual_constant", {"x", "y", "z"}, b"bytes"
    assert a_parameter in {"unusual_a", "unusual_b", "unusual_c", "d"}, os.sep
    return inside
class Thing:
    slot = quite_unusual_function("unusual_a")
'''


@pytest.mark.parametrize("seed", ["0", "1", "42"])
def test_the_same_bytes_in_another_process(seed: str) -> None:
    """A process that has used the same texts for something else: https://bugs.python.org/issue34033."""
    program = (
        "import sys\n"
        "held = [sys.intern(text) for text in (*map(chr, range(0, 256, 3)), 'a_parameter', 'slot', 'third')]\n"
        "from chainboot.image.bytecode import compile_module\n"
        "sys.stdout.buffer.write(compile_module(sys.stdin.buffer.read(), '/usr/lib/m.py', 0))"
    )
    source = SOURCE + "".join(f"x{code} = {chr(code)!r}\n" for code in range(256)).encode()
    other = subprocess.run(
        [sys.executable, "-c", program],
        input=source,
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2] / "python")},
    )
    assert other.stdout == compile_module(source, "/usr/lib/m.py", 0)


def test_the_header_is_that_of_an_unchecked_hash(tmp_path: Path) -> None:
    """As py_compile writes it, which reads sources from files only."""
    (tmp_path / "m.py").write_bytes(SOURCE)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(tmp_path / "m.py"), str(tmp_path / "m.pyc"), invalidation_mode=mode)
    made = compile_module(SOURCE, "/usr/lib/m.py", 0)
    assert made[:16] == (tmp_path / "m.pyc").read_bytes()[:16]
    assert made[:4] == importlib.util.MAGIC_NUMBER
    code = marshal.loads(made[16:])
    assert code.co_filename == "/usr/lib/m.py"


def test_it_can_be_imported_without_its_source(tmp_path: Path) -> None:
    (tmp_path / "quite_new_module.pyc").write_bytes(compile_module(b"VALUE = 7", "/usr/lib/quite_new_module.py", 0))
    ran = subprocess.run(
        [sys.executable, "-s", "-S", "-c", "import quite_new_module as m; print(m.VALUE, m.__file__)"],
        capture_output=True,
        check=True,
        env={"PYTHONPATH": str(tmp_path)},
        text=True,
    )
    assert ran.stdout == f"7 {tmp_path / 'quite_new_module.pyc'}\n"


def test_levels_of_optimisation() -> None:
    full, no_asserts, least = (compile_module(SOURCE, "/m.py", level) for level in (0, 1, 2))
    assert b"unusual_b" in full
    assert b"unusual_b" not in no_asserts
    assert b"Doc." in no_asserts
    assert b"Doc." not in least


def test_what_cannot_be_compiled() -> None:
    with pytest.raises(ChainbootError) as refused:
        compile_module(b"def", "/usr/lib/m.py", 0)
    assert str(refused.value) == "/usr/lib/m.py cannot be compiled: invalid syntax (m.py, line 1)"
