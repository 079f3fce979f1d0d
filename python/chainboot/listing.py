"""Entries, plans and findings as text for a person and as JSON for a program. Pure.

The JSON is a public interface: docs/json.md describes every field, and a test holds both together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainboot.boot.candidate import BootFile, Candidate
from chainboot.boot.consoles import added
from chainboot.boot.kernel import KernelImage
from chainboot.boot.plan import ArmWatchdog, BootPlan, Concatenate, EndSessions, Step, WriteRecord
from chainboot.boot.volume import Configuration, normalise
from chainboot.errors import Diagnostic, Severity
from chainboot.extlinux.menu import Menu
from chainboot.text import clip, printable, width
from chainboot.trial.assessment import Verdict

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def list_json(
    configurations: Sequence[Configuration],
    among: Sequence[Candidate],
    objections: Sequence[str] | None = None,
    *,
    standing: Mapping[int, Verdict] | None = None,
) -> Json:
    """The object that `list --json` prints. `objections`: why this machine can boot nothing at all; None: not asked.

    `standing` has what trials have shown of entries, by their numbers; None: not asked.
    """
    default = next((candidate for candidate in among if candidate.default), None)
    return {
        "default": default.entry.label if default else None,
        "default_index": default.index if default else None,
        "timeout_ds": configurations[0].menu.timeout_ds if configurations else None,
        "configurations": [_configuration_json(configuration, among) for configuration in configurations],
        "diagnostics": [
            diagnostic_json(diagnostic)
            for configuration in configurations
            for diagnostic in configuration.menu.diagnostics
        ],
        "entries": [
            {
                **entry_json(candidate),
                **({} if standing is None else {"trials": verdict_json(standing.get(candidate.index))}),
            }
            for candidate in among
        ],
        **({} if objections is None else {"objections": list(objections)}),
    }


def verdict_json(verdict: Verdict | None) -> Json:
    """What trials have shown of an entry; null where none are kept."""
    if verdict is None:
        return None
    return {
        "standing": verdict.standing.value,
        "tries_left": verdict.tries_left,
        "tries_done": verdict.tries_done,
        "boots": verdict.boots,
        "since": verdict.since or None,
        "why": verdict.why or None,
    }


def _configuration_json(configuration: Configuration, among: Sequence[Candidate]) -> Json:
    menu = configuration.menu
    first = next((candidate.index for candidate in among if candidate.configuration is configuration), 0)
    return {
        "volume": configuration.volume.name,
        "path": configuration.path,
        "title": menu.title,
        "timeout_ds": menu.timeout_ds,
        "total_timeout_ds": menu.total_timeout_ds,
        "on_timeout": menu.on_timeout,
        "default_value": menu.default_value,
        "fallback": menu.fallback,
        "prompt": menu.prompt,
        "menu_requested": menu.menu_requested,
        "ui": menu.ui,
        "locks": list(menu.locks),
        "start": menu.start,
        "menus": [_menu_json(each, first) for each in menu.menus],
    }


def _menu_json(menu: Menu, first: int) -> Json:
    """One menu of the tree; `first` is the number of the configuration's first entry."""
    rows: list[Json] = []
    for row in menu.rows:
        if row.entry is not None:
            rows.append({"entry": first + row.entry})
        elif row.menu is not None:
            rows.append({"menu": row.menu})
        else:
            rows.append({"separator": True})
    return {
        "parent": menu.parent,
        "tag": menu.tag,
        "title": menu.title,
        "label": menu.label,
        "hotkey": menu.hotkey,
        "help": list(menu.help),
        "default": None if menu.default is None else first + menu.default,
        "timeout_ds": menu.timeout_ds,
        "on_timeout": menu.on_timeout,
        "locked": menu.locked,
        "rows": rows,
    }


def entry_json(candidate: Candidate) -> dict[str, Json]:
    """One entry, as in the `entries` of `list --json`."""
    entry, nixos = candidate.entry, candidate.entry.nixos
    return {
        "index": candidate.index,
        "label": entry.label,
        "title": entry.title,
        "kind": entry.kind.value,
        "kernel": candidate.kernel.path if candidate.kernel else None,
        "initrds": [initrd.path for initrd in candidate.initrds],
        "append": entry.append,
        "cmdline": candidate.cmdline,
        "fdt": candidate.fdt.path if candidate.fdt else None,
        "fdtdir": _resolved(candidate, entry.fdtdir) if entry.fdtdir else None,
        "fdtoverlays": [_resolved(candidate, overlay) for overlay in entry.fdtoverlays],
        "default": candidate.default,
        "bootable": candidate.bootable,
        "reasons": list(candidate.reasons),
        "menu_path": list(entry.menu_path),
        "hotkey": entry.hotkey,
        "help": list(entry.help),
        "indent": entry.indent,
        "hidden": entry.hidden,
        "disabled": entry.disabled,
        "locked": entry.locked,
        "needs_env": list(entry.needs_env),
        "sysappend": entry.sysappend,
        "generation": nixos.generation if nixos else None,
        "specialisation": nixos.specialisation if nixos else None,
        "unknown": list(entry.unknown),
        "volume": candidate.configuration.volume.name,
        "configuration": candidate.configuration.path,
        "line": entry.position.line,
    }


def _resolved(candidate: Candidate, value: str) -> str:
    return normalise(candidate.configuration.absolute(value))


def show_json(candidate: Candidate, image: KernelImage, objections: Sequence[str]) -> Json:
    """The object that `show --json` prints: an entry, and what its files are."""
    return {
        **entry_json(candidate),
        "kernel_image": {
            "kind": image.kind,
            "machine": image.machine,
            "version": image.version,
            "command_line_limit": image.command_line_limit,
            "problem": image.problem,
        },
        "files": [_file_json(role, file) for role, file in _files(candidate)],
        "objections": list(objections),
        "added": added(candidate, candidate.boot_cmdline) or None,
    }


def _files(candidate: Candidate) -> list[tuple[str, BootFile]]:
    named = [("kernel", candidate.kernel), *(("initrd", file) for file in candidate.initrds), ("fdt", candidate.fdt)]
    return [(role, file) for role, file in named if file is not None]


def _file_json(role: str, file: BootFile) -> Json:
    return {"role": role, "path": file.path, "size": file.size, "problem": file.problem}


def plan_json(plan: BootPlan, objections: Sequence[str]) -> Json:
    """The object that `plan --json` prints: every step, in the order in which it would run."""
    return {
        "label": plan.label,
        "title": plan.title,
        "cmdline": plan.cmdline,
        **{name: [_step_json(step) for step in steps] for name, steps in plan.phases()},
        "objections": list(objections),
        "notes": list(plan.notes),
    }


def _step_json(step: Step) -> Json:
    if isinstance(step, Concatenate):
        parts: list[Json] = [{"path": part.path, "skip": part.skip} for part in step.parts]
        return {"concatenate": parts, "target": step.target}
    if isinstance(step, EndSessions):
        return {"end_sessions": step.patience}
    if isinstance(step, WriteRecord):
        return {"record": step.path, "what": step.what}
    if isinstance(step, ArmWatchdog):
        return {"watchdog": step.driver, "seconds": step.seconds}
    return {"argv": list(step.argv)}


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, Json]:
    """One finding, as in `diagnostics`."""
    position = diagnostic.position
    return {
        "severity": diagnostic.severity.value,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "file": position.file if position else None,
        "line": position.line if position else None,
        "column": position.column if position else None,
        "hint": diagnostic.hint,
    }


def check_json(found: Sequence[Diagnostic]) -> Json:
    """The object that `check --json` prints."""
    return {
        "errors": count(found, Severity.ERROR),
        "warnings": count(found, Severity.WARNING),
        "infos": count(found, Severity.INFO),
        "diagnostics": [diagnostic_json(finding) for finding in found],
    }


_LABEL_CELLS = 40


def list_text(among: Sequence[Candidate], standing: Mapping[int, Verdict] | None = None) -> str:
    """The entries, one line each: number, label, title, default, what trials have shown, and why it cannot boot.

    Where they come from several configurations, each gets a line of its own before its entries.
    """
    labels = [clip(printable(candidate.entry.label), _LABEL_CELLS) for candidate in among]
    column = max((width(label) for label in labels), default=0)
    digits = len(str(len(among)))
    lines = []
    sources = [(candidate.configuration.volume.name, candidate.configuration.path) for candidate in among]
    several = len(set(sources)) > 1
    before: tuple[str, str] | None = None
    for candidate, label, source in zip(among, labels, sources, strict=True):
        if several and source != before:
            lines.append(f"{printable(': '.join(source))}\n")
        before = source
        line = (
            f"{candidate.index:>{digits}}  {label}{' ' * (column - width(label))}  {printable(candidate.entry.title)}"
        )
        line += "  (default)" if candidate.default else ""
        line += "  (hidden)" if candidate.entry.hidden else ""
        line += "  (locked)" if candidate.entry.locked else ""
        known = (standing or {}).get(candidate.index)
        line += f"  [{printable(known.describe())}]" if known is not None else ""
        line += f"  [cannot boot: {printable('; '.join(candidate.reasons))}]" if candidate.reasons else ""
        lines.append(line + "\n")
    return "".join(lines)


def show_text(candidate: Candidate, image: KernelImage, objections: Sequence[str]) -> str:
    """Everything about one entry, a line for each fact."""
    entry, nixos = candidate.entry, candidate.entry.nixos
    facts: list[tuple[str, str]] = [
        ("entry", f"{candidate.index}{' (default)' if candidate.default else ''}"),
        ("label", entry.label),
        ("title", entry.title),
        ("volume", candidate.configuration.volume.name),
        ("written at", str(entry.position)),
    ]
    if nixos and nixos.generation is not None:
        facts.append(("generation", str(nixos.generation)))
    if nixos and nixos.specialisation:
        facts.append(("specialisation", nixos.specialisation))
    for role, file in _files(candidate):
        facts.append((role, file.path if file.problem else f"{file.path} ({file.size} bytes)"))
    if image.version:
        facts.append(("kernel version", image.version))
    facts.append(("command line", candidate.boot_cmdline))
    note = added(candidate, candidate.boot_cmdline)
    facts += [("note", note)] if note else []
    facts += [("help", line.strip()) for line in entry.help]
    facts += [("kept as it is", line) for line in entry.unknown]
    facts += [("cannot boot", reason) for reason in objections]
    return "".join(f"{name + ':':16} {printable(value)}\n" for name, value in facts)


def count(found: Sequence[Diagnostic], severity: Severity) -> int:
    """How many findings are of this severity."""
    return sum(finding.severity is severity for finding in found)
