"""The direction of imports: errors, extlinux, boot, trial, session, cli; and image and install beside them."""

from __future__ import annotations

import ast
from pathlib import Path

import chainboot

PACKAGE = Path(chainboot.__file__).parent

# A module may import from its own layer and from those above it in this list.
LAYERS = (
    ("architecture", "text"),
    ("errors",),
    ("process", "child", "devices", "settings", "sync"),
    ("extlinux",),
    ("boot",),
    ("trial",),
    ("remote",),
    ("session", "listing"),
    ("arguments", "streams", "sources", "verbs", "trial_arguments", "trial_verbs", "services", "cli"),
    ("__main__",),
)

# Beside the layers, and in no first stage: only verbs.py may import them, inside the verb that needs them. What each
# may use besides itself. An image is made for another machine; an install is about entries and volumes of this one.
_BASE = ("architecture", "text", "errors", "process", "child", "devices", "settings", "sync")
BESIDE = {
    "image": (*_BASE, "remote", "boot.initrd", "boot.kernel_config"),
    "install": (*_BASE, "extlinux", "boot"),
}

# Files that design.md marks as pure: no I/O, no subprocess, no environment.
PURE = (
    "architecture", "text", "errors", "devices", "settings", "listing",
    *(f"extlinux/{path.stem}" for path in sorted((PACKAGE / "extlinux").glob("*.py")) if path.stem != "__init__"),
    "boot/cmdline", "boot/initrd", "boot/kernel", "boot/plan",
    "install/layout", "install/plan", "install/step", "install/zipl_conf",
    "remote/role", "remote/authorized_keys", "remote/key_options", "remote/host_key",
    "session/choice", "session/countdown", "session/events", "session/request", "session/state", "session/status",
    "session/screen", "session/frame", "session/layout", "session/editor", "session/keys",
    "session/trials",
    "trial/record", "trial/slots", "trial/entry_id", "trial/transition", "trial/assessment", "trial/words",
    "trial/journal", "trial/failure_report",
)  # fmt: skip
IMPURE_MODULES = {
    "os",
    "sys",
    "subprocess",
    "time",
    "socket",
    "select",
    "termios",
    "fcntl",
    "shutil",
    "pathlib",
    "signal",
}

# Nothing that the first stage runs may cost it these at start; they are imported where they are needed.
LATE = {"argparse", "json", "re", "pathlib", "tempfile", "logging", "shutil"}


def modules() -> dict[str, ast.Module]:
    """Every module by its path without suffix, relative to the package."""
    return {
        str(path.relative_to(PACKAGE).with_suffix("")): ast.parse(path.read_text())
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def imported(tree: ast.AST) -> set[str]:
    """Absolute names of what a module imports anywhere, `chainboot.x.y` for ours."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def imported_at_start(tree: ast.Module) -> set[str]:
    """What is imported when the module is, leaving out functions and `if TYPE_CHECKING`."""
    outside = [
        node
        for node in tree.body
        if not isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    ]
    return imported(ast.Module(outside, []))


def layer_of(name: str) -> int | None:
    wing = name.split("/")[0].split(".")[0]
    return next((level for level, wings in enumerate(LAYERS) if wing in wings), None)


def test_every_module_has_a_place() -> None:
    for name in modules():
        if name != "__init__":
            assert layer_of(name) is not None or name.split("/")[0] in BESIDE, f"{name} is in no layer"


def test_imports_go_one_way() -> None:
    for name, tree in modules().items():
        wing = name.split("/")[0]
        for target in imported(tree):
            if not target.startswith("chainboot.") or name == "__init__":
                continue
            used = target.removeprefix("chainboot.").split(".")[0]
            if wing in BESIDE:
                allowed = (*BESIDE[wing], wing)
                path = target.removeprefix("chainboot.")
                assert any(f"{path}.".startswith(f"{each}.") for each in allowed), f"{name} imports {target}"
            elif used in BESIDE:
                assert wing == "verbs", f"{name} imports {target}"
            else:
                ours, theirs = layer_of(name), layer_of(used)
                assert ours is not None
                assert theirs is not None
                assert theirs <= ours, f"{name} imports {target}, which is above it"


def test_the_wings_are_imported_only_by_the_verbs_that_need_them() -> None:
    early = imported_at_start(modules()["cli"]) | imported_at_start(modules()["verbs"])
    assert not {name for name in early for wing in BESIDE if name.startswith(f"chainboot.{wing}")}


def test_the_first_stage_leaves_the_wings_out() -> None:
    spec = (PACKAGE.parent / "first-stage/image-spec.json").read_text()
    assert all(f'"chainboot.{wing}"' in spec.partition('"exclude"')[2] for wing in BESIDE)


def test_pure_modules_touch_nothing() -> None:
    found = modules()
    for name in PURE:
        touched = {target.split(".")[0] for target in imported(found[name])} & IMPURE_MODULES
        assert not touched, f"{name} imports {touched}"
        calls = {
            node.func.id
            for node in ast.walk(found[name])
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {"open", "print", "input"}, f"{name} calls {calls & {'open', 'print', 'input'}}"


def test_only_process_starts_programs() -> None:
    for name, tree in modules().items():
        if name != "process":
            assert "subprocess" not in imported(tree), name
            starts = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            assert not starts & {"system", "popen", "posix_spawn", "execv", "execve", "execvp"}, name
            assert name == "child" or "fork" not in starts, name


def test_only_cli_exits_and_prints() -> None:
    for name, tree in modules().items():
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        exits = [call for call in calls if isinstance(call, ast.Attribute) and call.attr in ("exit", "_exit")]
        # The processes of `process.detach` and `in_child` are not the command, and must not come back into it.
        assert name in ("cli", "process", "child") or not exits, f"{name} exits"


def test_what_the_first_stage_runs_imports_late() -> None:
    for name, tree in modules().items():
        wing = name.split("/")[0]
        if wing not in (*BESIDE, "arguments", "trial_arguments"):
            early = {target.split(".")[0] for target in imported_at_start(tree)} & LATE
            assert not early, f"{name} imports {early} at start"


def test_no_file_has_grown_into_two_nouns() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 340, f"{path.name}: design.md wants files of about 300 lines"


def test_every_package_is_installed() -> None:
    import tomllib

    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    here = {"chainboot", *(f"chainboot.{path.parent.name}" for path in PACKAGE.glob("*/__init__.py"))}
    assert set(project["tool"]["setuptools"]["packages"]) == here
