"""A JSON document read piece by piece, each error naming the place: `files[3].mode: ...`.

Knows JSON and paths into it; knows nothing of what the document is about.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from chainboot.errors import ChainbootError, SourcePosition


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A value inside a document: `document` is the file's name, `path` where in it (empty: the whole)."""

    document: str
    path: str
    raw: object

    @classmethod
    def parse(cls, text: str, document: str) -> JsonValue:
        """The whole document. Refuses what is not JSON, and a key given twice, which JSON would silently drop."""
        try:
            raw: object = json.loads(text, object_pairs_hook=_unique_keys)
        except json.JSONDecodeError as error:
            position = SourcePosition(document, error.lineno, error.colno)
            raise ChainbootError(f"not JSON: {error.msg}", position=position) from error
        except _DuplicateKeyError as error:
            raise ChainbootError(f"{document}: the key {error.key!r} is given twice in one object") from error
        except RecursionError as error:
            raise ChainbootError(f"{document}: nested too deeply to be read") from error
        return cls(document, "", raw)

    def refuse(self, message: str, *, hint: str | None = None) -> NoReturn:
        """Raise a `ChainbootError` that names this place."""
        where = f"{self.path}: " if self.path else ""
        raise ChainbootError(f"{self.document}: {where}{message}", hint=hint)

    def members(self, known: Iterable[str]) -> dict[str, JsonValue]:
        """The members of an object. A key that is not `known` is refused, so that a typing error is not lost."""
        if not isinstance(self.raw, dict):
            self.refuse(f"an object is wanted, and this is {_kind(self.raw)}")
        allowed = sorted(known)
        for key in self.raw:
            if key not in allowed:
                self.refuse(f"unknown key {key!r}", hint=f"known keys are: {', '.join(allowed)}")
        return {str(key): self._inside(f".{key}", value) for key, value in self.raw.items()}

    def items(self) -> tuple[JsonValue, ...]:
        """The elements of an array."""
        if not isinstance(self.raw, list):
            self.refuse(f"an array is wanted, and this is {_kind(self.raw)}")
        return tuple(self._inside(f"[{index}]", value) for index, value in enumerate(self.raw))

    def string(self) -> str:
        """A string that is not empty and holds no NUL character, which no path or name can hold either."""
        if not isinstance(self.raw, str):
            self.refuse(f"a string is wanted, and this is {_kind(self.raw)}")
        if not self.raw or "\0" in self.raw:
            self.refuse("must not be empty" if not self.raw else "must not contain a NUL character")
        return self.raw

    def text(self) -> str:
        """Any string, also an empty one."""
        if not isinstance(self.raw, str):
            self.refuse(f"a string is wanted, and this is {_kind(self.raw)}")
        return self.raw

    def integer(self, lowest: int, highest: int) -> int:
        """A whole number from `lowest` to `highest`."""
        if not isinstance(self.raw, int) or isinstance(self.raw, bool):
            self.refuse(f"a whole number is wanted, and this is {_kind(self.raw)}")
        if not lowest <= self.raw <= highest:
            self.refuse(f"{self.raw} is not from {lowest} to {highest}")
        return self.raw

    def boolean(self) -> bool:
        """True or false."""
        if not isinstance(self.raw, bool):
            self.refuse(f"true or false is wanted, and this is {_kind(self.raw)}")
        return self.raw

    def strings(self) -> tuple[str, ...]:
        """An array of strings."""
        return tuple(item.string() for item in self.items())

    def _inside(self, step: str, raw: object) -> JsonValue:
        return JsonValue(self.document, f"{self.path}{step}".removeprefix("."), raw)


class _DuplicateKeyError(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateKeyError(key)
        found[key] = value
    return found


def _kind(raw: object) -> str:
    match raw:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"
