"""The Python of an image: exactly the modules that are imported, and a clear word about those that are not there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from image.elf_files import elf_file
from image.sysroots import To, write_sysroot

from chainboot.architecture import ARCHITECTURES, X86_64
from chainboot.errors import ChainbootError
from chainboot.image.architecture import is_for
from chainboot.image.cpio import File, Link
from chainboot.image.linkage import Linker
from chainboot.image.python import add_python
from chainboot.image.spec import ImageSpec, PythonSpec
from chainboot.image.sysroot import Sysroot
from chainboot.image.tree import ImageTree

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
STARTUP = [
    "abc", "codecs", "encodings", "encodings.aliases", "encodings.ascii", "encodings.latin_1", "encodings.utf_8",
    "genericpath", "importlib", "importlib.machinery", "importlib.util", "io", "os", "posixpath", "runpy", "stat",
    "warnings", "_collections_abc",
]  # fmt: skip
GONE = "the Python module {} is imported by app.part (line {}) and is not to be found"
PACKAGES = {"encodings", "importlib"}

INTERPRETER = elf_file(inittab=sys.builtin_module_names)


def sysroot_with(root: Path, modules: Mapping[str, str], version: str = VERSION) -> Sysroot:
    """A sysroot with an interpreter and a standard library of `modules` and empty startup modules."""
    library = f"/usr/lib/python{version}"
    files: dict[str, bytes | str | To] = {f"/usr/bin/python{version}": INTERPRETER}
    for name in STARTUP:
        path = name.replace(".", "/") + ("/__init__.py" if name in PACKAGES else ".py")
        files[f"{library}/{path}"] = ""
    files |= {f"{library}/{path}": source for path, source in modules.items()}
    return write_sysroot(root, files)


def spec(
    *modules: str, exclude: tuple[str, ...] = (), data: tuple[str, ...] = (), version: str = VERSION
) -> PythonSpec:
    return PythonSpec(f"/usr/bin/python{version}", modules, (), exclude, data, 0)


def built(sysroot: Sysroot, wanted: PythonSpec, packages: Mapping[str, Path]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The modules of the image, beyond those of the start, with their reasons; and the notes."""
    tree = ImageTree(X86_64)
    notes = add_python(wanted, sysroot, Linker(sysroot, tree), packages, lambda _: None)
    found = {
        entry.path.partition(f"/python{Path(wanted.interpreter).name[6:]}/")[2]: entry.because
        for entry in tree.entries()
        if isinstance(entry.node, File)
    }
    return {path: why for path, why in found.items() if path and "the start of" not in why}, notes


def package(root: Path, files: Mapping[str, str]) -> Path:
    for name, source in {"__init__.py": "", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(source)
    return root


def test_what_is_imported_is_there_and_nothing_else(tmp_path: Path) -> None:
    sysroot = sysroot_with(
        tmp_path / "root",
        {
            "used.py": "import sys, os.path, deep.er",
            "deep/__init__.py": "",
            "deep/er.py": "from . import sub, attribute",
            "deep/sub.py": "def f():\n import late",
            "late.py": "try:\n import missing\nexcept ImportError:\n import nowhere",
            "unused.py": "",
            "deep/unused.py": "",
            "types_only.py": "",
        },
    )
    app = package(
        tmp_path / "app",
        {"__main__.py": "from app.part import x", "part.py": "if TYPE_CHECKING:\n import types_only\nimport used"},
    )
    found, notes = built(sysroot, spec("app.__main__"), {"app": app})
    assert found == {
        "app/__init__.pyc": "the package of app.__main__",
        "app/__main__.pyc": "python.modules[0]",
        "app/part.pyc": "imported by app.__main__",
        "deep/__init__.pyc": "the package of deep.er",
        "deep/er.pyc": "imported by used",
        "deep/sub.pyc": "imported by deep.er",
        "late.pyc": "imported by deep.sub",
        "used.pyc": "imported by app.part",
    }
    assert notes == ()


@pytest.mark.parametrize(
    ("source", "exclude", "words"),
    [
        ("import gone", (), GONE.format("gone", 1)),
        (
            "def f():\n import gone",
            (),
            GONE.format("gone", 2),
        ),
        (
            "from .gone import x",
            (),
            GONE.format("app.gone", 1),
        ),
        ("import io", ("io",), "the Python module io is wanted by the start of the interpreter and is excluded"),
        (
            "import fat",
            ("fat",),
            "the Python module fat is excluded, and app.part imports it each time it is loaded (line 1)",
        ),
        (
            "import fat.inner",
            ("fat",),
            "the Python module fat.inner is excluded, and app.part imports it each time it is loaded (line 1)",
        ),
        (
            "from fat import inner",
            ("fat.inner",),
            "the Python module fat.inner is excluded, and app.part imports it each time it is loaded (line 1)",
        ),
    ],
)
def test_a_module_that_will_be_missed_is_refused(
    tmp_path: Path, source: str, exclude: tuple[str, ...], words: str
) -> None:
    sysroot = sysroot_with(tmp_path / "root", {"fat/__init__.py": "", "fat/inner.py": ""})
    app = package(tmp_path / "app", {"part.py": source})
    with pytest.raises(ChainbootError) as refused:
        built(sysroot, spec("app.part", exclude=exclude), {"app": app})
    assert str(refused.value) == words


def test_what_is_excluded_stays_out_and_is_told(tmp_path: Path) -> None:
    files = {"fat/__init__.py": "", "fat/inner.py": "", "slim.py": "def f():\n import fat"}
    sysroot = sysroot_with(tmp_path / "root", files)
    guarded = "try:\n import fat\nexcept ImportError:\n pass"
    app = package(tmp_path / "app", {"part.py": f"import slim\ndef f():\n import fat.inner\n{guarded}"})
    found, notes = built(sysroot, spec("app.part", exclude=("fat",)), {"app": app})
    assert sorted(found) == ["app/__init__.pyc", "app/part.pyc", "slim.pyc"]
    assert notes == ("excluded, and imported by a function of: fat.inner (app.part)",)


def test_a_root_must_be_there(tmp_path: Path) -> None:
    sysroot = sysroot_with(tmp_path / "root", {})
    with pytest.raises(ChainbootError) as refused:
        built(sysroot, spec("gone"), {})
    assert str(refused.value) == "the Python module gone is wanted by python.modules[0] and is not to be found"


def test_data_of_packages(tmp_path: Path) -> None:
    sysroot = sysroot_with(tmp_path / "root", {})
    app = package(tmp_path / "app", {"g/a.lark": "A", "g/b.lark": "B", "g/c.txt": "C"})
    found, _ = built(sysroot, spec("app", data=("app/g/*.lark",)), {"app": app})
    assert sorted(found) == ["app/__init__.pyc", "app/g/a.lark", "app/g/b.lark"]
    for pattern, words in (
        ("app/*.json", f"python.data[0]: app/*.json matches no file below {app}"),
        ("os/x", "python.data[0]: os/x does not name a file of a given package: app"),
        ("app/../x", "python.data[0]: app/../x does not name a file of a given package: app"),
    ):
        with pytest.raises(ChainbootError) as refused:
            built(sysroot, spec("app", data=(pattern,)), {"app": app})
        assert str(refused.value) == words


def test_another_version_gets_sources(tmp_path: Path) -> None:
    sysroot = sysroot_with(tmp_path / "root", {"used.py": "import sys"}, version="3.99")
    found, notes = built(sysroot, spec("used", version="3.99"), {})
    assert found == {"used.py": "python.modules[0]"}
    assert notes == (
        "Python modules are included as sources: "
        f"the sysroot has Python 3.99, and Python {VERSION} cannot compile for it",
    )


def test_a_library_or_a_package_that_is_not_there(tmp_path: Path) -> None:
    sysroot = write_sysroot(tmp_path / "root", {"/usr/bin/python3.11": INTERPRETER})
    with pytest.raises(ChainbootError) as library:
        built(sysroot, spec(version="3.11"), {})
    assert str(library.value) == "python.interpreter: the standard library of /usr/bin/python3.11 is not in the sysroot"
    assert library.value.hint == "looked for /usr/lib/python3.11/os.py"
    with pytest.raises(ChainbootError) as absent:
        built(sysroot_with(tmp_path / "other", {}), spec(), {"app": tmp_path / "app"})
    assert str(absent.value) == f"the Python package app has no {tmp_path / 'app' / '__init__.py'}"


def test_the_real_standard_library_starts_and_imports(tmp_path: Path) -> None:
    """The closure that is followed statically, held against an interpreter that has nothing else."""
    program = Path(sys.executable).resolve()
    # Nothing is run of a sysroot, so this machine itself will do as one.
    sysroot = Sysroot.open(Path("/"))
    machine = next(known for known in ARCHITECTURES if is_for(program.read_bytes(), known))
    first_stage = Path(__file__).parents[2] / "python" / "first-stage" / "image-spec.json"
    shipped = ImageSpec.from_json(first_stage.read_text(), first_stage.name).python
    assert shipped is not None
    modules = ("json", "re", "pathlib", "traceback", "dataclasses", "subprocess", "logging", "hashlib", "argparse")
    wanted = PythonSpec(str(program), modules, (), shipped.exclude, (), 0)
    tree = ImageTree(machine)
    add_python(wanted, sysroot, Linker(sysroot, tree), {}, lambda _: None)
    image = tmp_path / "image"
    for entry in tree.entries():
        if isinstance(entry.node, File):
            path = image / entry.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(entry.node.data)
    home = image / str(program.parent.parent).lstrip("/")
    (home / "lib" / f"python{VERSION}" / "lib-dynload").mkdir(exist_ok=True)
    ran = subprocess.run(
        [str(program), "-P", "-s", "-S", "-c", f"import {', '.join(modules)}; print(json.__file__); 1 / 0"],
        env={"PYTHONHOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == f"{home}/lib/python{VERSION}/json/__init__.pyc\n"
    assert ran.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_the_interpreter_goes_by_other_names_too(tmp_path: Path) -> None:
    tree = ImageTree(X86_64)
    wanted = PythonSpec("/usr/bin/python3.??", (), (), (), (), 0, links=("/usr/bin/python3",))
    sysroot = sysroot_with(tmp_path / "root", {})
    add_python(wanted, sysroot, Linker(sysroot, tree), {}, lambda _: None)
    assert Link(f"/usr/bin/python{VERSION}") in [
        entry.node for entry in tree.entries() if entry.path == "/usr/bin/python3"
    ]
