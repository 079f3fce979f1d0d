"""Python sources made into the .pyc files that an interpreter loads without them, always the same bytes.

Knows compile and marshal; knows nothing of where modules come from.
Format: PEP 552, and importlib/_bootstrap_external.py of CPython.
"""

from __future__ import annotations

import importlib.util
import marshal
import sys

from chainboot.errors import ChainbootError

# PEP 552: bit 0, the file is checked by hash; bit 1 clear, and that check is not made at import. There is no source
# to check against in the image, and no time of a file on this machine gets into it.
_UNCHECKED_HASH = (1).to_bytes(4, "little")

# marshal writes an interned string differently from another (w_object in Python/marshal.c). Names are always interned,
# longer texts are new objects and never are, but a text of one character is one object in the whole process, and
# whether it is interned depends on what was imported before. From here on they all are.
_INTERNED = tuple(sys.intern(chr(code)) for code in range(256))


def compile_module(source: bytes, path: str, optimize: int) -> bytes:
    """The .pyc of `source`; `path` is what tracebacks call it, so give the path inside the image.

    `optimize` as in compile(): 0 keeps asserts and docstrings, 1 drops asserts, 2 both.
    """
    # A fresh string, never an interned one: marshal writes the two differently.
    filename = bytes(path, "utf-8").decode("utf-8")
    try:
        code = compile(source, filename, "exec", dont_inherit=True, optimize=optimize)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ChainbootError(f"{path} cannot be compiled: {error}") from error
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source) + marshal.dumps(code)
