"""What a Python module imports, and when, read from its source without running it.

Knows Python's syntax; knows no files and finds no modules. What cannot be read off (a module name that is computed)
is not seen: such modules are named in the image spec.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from chainboot.errors import ChainbootError


class Moment(Enum):
    """When an import takes place, and so what its failure means.

    LOADED: each time the importing module is loaded; a failure is an ImportError there.
    CALLED: when some function of it is called.
    GUARDED: where a failure is caught, or a condition (a platform, a version) decides; the module copes without.
    """

    LOADED = "loaded"
    CALLED = "called"
    GUARDED = "guarded"


@dataclass(frozen=True, slots=True)
class Import:
    """One import. `name` is absolute. `members` are what `from name import ...` names: attributes, or submodules."""

    name: str
    members: tuple[str, ...]
    moment: Moment
    line: int


def imports_of(source: bytes, module: str, *, is_package: bool) -> tuple[Import, ...]:
    """All imports in `source`, which is `module`'s (the `__init__` of it if `is_package`).

    Left out: what only type checkers (`if TYPE_CHECKING:`) and a run as a program (`if __name__ == "__main__":`) see.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ChainbootError(f"the source of the Python module {module} cannot be read: {error}") from error
    package = module if is_package else module.rpartition(".")[0]
    reader = _Reader(module, package)
    reader.statements(tree.body, Moment.LOADED)
    return tuple(reader.found)


_CATCHES = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


class _Reader:
    def __init__(self, module: str, package: str) -> None:
        self._module = module
        self._package = package
        self.found: list[Import] = []

    def statements(self, body: Sequence[ast.AST], moment: Moment) -> None:
        for node in body:
            self._visit(node, moment)

    def _visit(self, node: ast.AST, moment: Moment) -> None:
        match node:
            case ast.Import():
                self.found += [Import(alias.name, (), moment, node.lineno) for alias in node.names]
            case ast.ImportFrom():
                members = tuple(alias.name for alias in node.names if alias.name != "*")
                self.found.append(Import(self._absolute(node), members, moment, node.lineno))
            case ast.If():
                self._if(node, moment)
            case ast.Try() | ast.TryStar():
                caught = any(_catches(handler.type) for handler in node.handlers)
                self.statements(node.body, Moment.GUARDED if caught else moment)
                # What a handler imports takes the place of what failed: it runs only if that is missing.
                self.statements(node.handlers, Moment.GUARDED)
                self.statements([*node.orelse, *node.finalbody], moment)
            case ast.With() if any(_suppresses(item.context_expr) for item in node.items):
                self.statements(node.body, Moment.GUARDED)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                inside = Moment.CALLED if moment is Moment.LOADED else moment
                self.statements(list(ast.iter_child_nodes(node)), inside)
            case ast.Call():
                self._call(node)
                self.statements(list(ast.iter_child_nodes(node)), moment)
            case _:
                self.statements(list(ast.iter_child_nodes(node)), moment)

    def _if(self, node: ast.If, moment: Moment) -> None:
        if _is_type_checking(node.test) or _is_main(node.test):
            self.statements(node.orelse, moment)
            return
        self._visit(node.test, moment)
        # Inside a function an `if` is any decision; while a module is loaded, it is about the platform or version.
        inside = Moment.GUARDED if moment is Moment.LOADED else moment
        self.statements([*node.body, *node.orelse], inside)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        parts = self._package.split(".") if self._package else []
        above = node.level - 1
        if above >= len(parts):
            raise ChainbootError(f"the Python module {self._module} imports from above its package, line {node.lineno}")
        return ".".join([*parts[: len(parts) - above], *([node.module] if node.module else [])])

    def _call(self, node: ast.Call) -> None:
        """`import_module("name")` and `__import__("name")`: followed if there is such a module, never insisted on."""
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called not in ("import_module", "__import__") or not node.args or not isinstance(node.args[0], ast.Constant):
            return
        name = node.args[0].value
        if isinstance(name, str) and all(part.isidentifier() for part in name.split(".")):
            self.found.append(Import(name, (), Moment.GUARDED, node.lineno))


def _catches(exception: ast.expr | None) -> bool:
    match exception:
        case None:
            return True
        case ast.Tuple():
            return any(_catches(element) for element in exception.elts)
        case ast.Name():
            return exception.id in _CATCHES
        case _:
            return False


def _suppresses(context: ast.expr) -> bool:
    if not isinstance(context, ast.Call):
        return False
    called = context.func.attr if isinstance(context.func, ast.Attribute) else getattr(context.func, "id", "")
    return called == "suppress" and any(_catches(argument) for argument in context.args)


def _is_type_checking(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING"):
            return True
        case ast.Attribute(value=ast.Name(id="typing" | "t"), attr="TYPE_CHECKING"):
            return True
        case _:
            return False


def _is_main(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
        case _:
            return False
