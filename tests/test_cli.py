"""The command: verbs, exit codes, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from nixos import KERNEL, SYSTEM, usual_conf, write_root

import chainboot as chainboot_package
from chainboot.cli import main

CORPUS = Path(__file__).parent / "corpus"


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Call = Callable[..., Result]


@pytest.fixture
def chainboot(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: str | Path) -> Result:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        code = left.value.code
        return Result(code if isinstance(code, int) else -1, *capsys.readouterr())

    return call


def test_list_numbers_the_entries(chainboot: Call, nixos_root: Path) -> None:
    result = chainboot("list", "--root", nixos_root)
    lines = result.out.splitlines()
    assert (result.code, result.err, len(lines)) == (0, "", 7)
    assert lines[0] == "1  nixos-default      NixOS - Default  (default)"
    assert lines[2].startswith("3  nixos-42-hardened  NixOS - Configuration 42-hardened (")


def test_several_configurations_are_told_apart(chainboot: Call, nixos_root: Path) -> None:
    (nixos_root / "extlinux.conf").write_text("LABEL other\nLINUX /boot/nixos/gone\n")
    lines = chainboot("list", "--root", nixos_root).out.splitlines()
    assert lines[0] == f"{nixos_root}: /boot/extlinux/extlinux.conf"
    assert lines[8] == f"{nixos_root}: /extlinux.conf"
    assert lines[9].startswith("8  other")


def test_list_json_has_the_documented_fields(chainboot: Call, nixos_root: Path) -> None:
    result = chainboot("list", "--root", nixos_root, "--json")
    found = json.loads(result.out)
    assert (result.code, result.err) == (0, "")
    assert (found["default"], found["timeout_ds"], found["diagnostics"]) == ("nixos-default", 50, [])
    third = found["entries"][2]
    assert (third["index"], third["generation"], third["specialisation"]) == (3, 42, "hardened")
    assert third["kernel"] == f"/boot/nixos/{KERNEL}"
    assert third["cmdline"] == f"init={SYSTEM}/init console=ttyS0,115200 lsm=yama"


@pytest.mark.parametrize("verb", ["list", "show", "plan", "check"])
def test_every_json_field_is_documented(chainboot: Call, verb: str) -> None:
    documented = (Path(__file__).parents[1] / "docs/json.md").read_text()
    section = documented.split(f"\n## {verb} --json\n", 1)[1].split("\n## ", 1)[0]
    shared = documented.split("\n## Entry\n", 1)[1]
    arguments = [verb, "--root", CORPUS / "damaged", "--json"]
    found = json.loads(chainboot(*arguments).out)
    for name in _names(found):
        assert f"`{name}`" in section or f"`{name}`" in shared, f"{name} in {verb}"


def _names(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for inner in value.values() for name in _names(inner)}
    return {name for inner in value for name in _names(inner)} if isinstance(value, list) else set()


def test_the_configuration_can_be_named_by_its_file(chainboot: Call, nixos_root: Path) -> None:
    conf = nixos_root / "boot/extlinux/extlinux.conf"
    by_file = json.loads(chainboot("list", "--config", conf, "--json").out)
    by_path = json.loads(chainboot("list", conf, "--json").out)
    by_both = json.loads(chainboot("list", "--root", nixos_root, "--config", conf, "--json").out)
    by_root = json.loads(chainboot("list", nixos_root, "--json").out)
    for found in (by_file, by_path, by_both):
        assert found["entries"][0]["kernel"] == by_root["entries"][0]["kernel"]
        assert found["entries"][0]["bootable"]


def test_a_lone_file_is_the_root_of_its_own_directory(chainboot: Call, tmp_path: Path) -> None:
    (tmp_path / "my.conf").write_text("LABEL a\nLINUX ../../etc/passwd\n")
    found = json.loads(chainboot("list", "--config", tmp_path / "my.conf", "--json").out)
    assert found["entries"][0]["kernel"] == "/etc/passwd"
    assert found["entries"][0]["reasons"] == ["kernel: /etc/passwd does not exist"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["list", "--root", "/nowhere"], "chainboot: error: '/nowhere' is not a directory"),
        (["list", "--config", "/nowhere.conf"], "chainboot: error: no configuration: /nowhere.conf does not exist"),
        (["list", "/dev/null"], "chainboot: error: no configuration: /dev/null is a character device, not a file"),
        (["show", "--root", str(CORPUS / "nixos-24.05"), "nixos-7"], "chainboot: error: there is no entry nixos-7"),
    ],
)
def test_what_is_not_there_is_said_and_exits_with_3(chainboot: Call, arguments: list[str], sentence: str) -> None:
    result = chainboot(*arguments)
    assert result.code == 3
    assert result.out == ""
    assert result.err.startswith(sentence)


def test_an_empty_directory_says_where_it_looked(chainboot: Call, tmp_path: Path) -> None:
    result = chainboot("list", tmp_path)
    assert result.code == 3
    assert result.err.splitlines()[0] == f"chainboot: error: no extlinux configuration was found in {tmp_path}"
    assert "(hint) looked for boot/extlinux/extlinux.conf, extlinux/extlinux.conf" in result.err


def test_an_empty_file_is_said(chainboot: Call, tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", "")
    listed, checked = chainboot("list", root), chainboot("check", root)
    assert (listed.code, listed.out) == (0, "")
    assert listed.err == "chainboot: /boot/extlinux/extlinux.conf has no boot entry\n"
    assert checked.code == 2
    assert checked.out == "error: /boot/extlinux/extlinux.conf has no boot entry [no-entries]\n"


def test_wrong_usage_exits_with_2(chainboot: Call) -> None:
    for arguments in ([], ["fly"], ["list", "--speed"]):
        assert chainboot(*arguments).code == 2


def test_diagnostics_go_to_stderr_and_escapes_go_nowhere(chainboot: Call) -> None:
    result = chainboot("list", CORPUS / "damaged")
    assert result.code == 0
    assert "\x1b" not in result.out + result.err
    assert "extlinux.conf:22:1: warning: the line starts with no keyword" in result.err
    assert "[cannot boot: kernel: /boot/nixos/gone does not exist]" in result.out


def test_show_tells_all_about_an_entry(chainboot: Call, nixos_root: Path) -> None:
    result = chainboot("show", "--root", nixos_root, "3")
    assert result.code == 0
    for line in ("generation:      42", "specialisation:  hardened", "kernel version:  6.6.32"):
        assert line in result.out.splitlines()


def test_plan_prints_the_steps_and_what_would_refuse_them(chainboot: Call, nixos_root: Path) -> None:
    (nixos_root / "boot/nixos" / KERNEL).write_text("no kernel")
    result = chainboot("plan", "--root", nixos_root, "--append", "single")
    assert result.code == 0
    assert result.out.startswith("boot nixos-default: NixOS - Default\n  load:\n    kexec -a -l ")
    assert "loglevel=4 single'" in result.out
    assert result.err == (
        f"chainboot: this boot would be refused: kernel: /boot/nixos/{KERNEL}: the file is not a Linux kernel image\n"
    )


def test_plan_json_is_the_plan(chainboot: Call, nixos_root: Path) -> None:
    plan = json.loads(chainboot("plan", "--root", nixos_root, "2", "--cmdline", "a b", "--json").out)
    assert plan["label"] == "nixos-42-default"
    assert plan["load"][0]["argv"][:3] == ["kexec", "-a", "-l"]
    assert plan["load"][0]["argv"][-1] == "--command-line=a b"
    assert plan["objections"] == []


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the kernel of the fixture is for x86_64")
def test_a_dry_run_prints_what_plan_prints(chainboot: Call, nixos_root: Path) -> None:
    plan = chainboot("plan", "--root", nixos_root)
    dry = chainboot("boot", "--dry-run", "--root", nixos_root)
    assert (dry.code, dry.out) == (0, plan.out)


def test_a_dry_run_of_what_would_be_refused_is_refused(chainboot: Call, nixos_root: Path) -> None:
    (nixos_root / "boot/nixos" / KERNEL).write_text("no kernel")
    result = chainboot("boot", "--dry-run", "--root", nixos_root)
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "chainboot: error: nixos-default was not booted: "
        f"kernel: /boot/nixos/{KERNEL}: the file is not a Linux kernel image\n"
    )


def test_an_entry_without_kernel_is_refused_with_its_place(chainboot: Call) -> None:
    result = chainboot("plan", "--root", CORPUS / "damaged", "no-kernel")
    assert result.code == 1
    assert result.err == (
        "chainboot: error: /boot/extlinux/extlinux.conf:23:1: no-kernel cannot be booted: the entry names no kernel\n"
    )


@pytest.mark.parametrize(("shape", "code"), [("nixos-24.05", 0), ("nixos-edited-default", 1), ("damaged", 2)])
def test_check_exits_by_severity(chainboot: Call, shape: str, code: int) -> None:
    assert chainboot("check", CORPUS / shape).code == code
    assert chainboot("check", CORPUS / shape, "--json").code == code


def test_check_reports_each_finding_with_its_place(chainboot: Call) -> None:
    result = chainboot("check", CORPUS / "damaged")
    firsts = [line for line in result.out.splitlines() if line.startswith("/")]
    places = [(line.split(": ")[0].rsplit("/", 1)[1], line.rsplit("[", 1)[1]) for line in firsts]
    assert places == [
        ("extlinux.conf:15:1", "no-append]"),
        ("extlinux.conf:16:9", "missing-file]"),
        ("extlinux.conf:18:1", "no-append]"),
        ("extlinux.conf:20:9", "missing-file]"),
        ("extlinux.conf:22:1", "no-keyword]"),
        ("extlinux.conf:23:1", "unbootable]"),
        ("extlinux.conf:26:1", "no-append]"),
        ("extlinux.conf:28:10", "missing-file]"),
    ]
    assert all(Path(line.split(":")[0]).is_file() for line in firsts), "an editor can go there"
    assert result.err == "chainboot: 3 errors, 5 warnings, 2 notes (--all shows them)\n"


def test_check_shows_notes_where_they_are_asked_for(chainboot: Call) -> None:
    result = chainboot("check", CORPUS / "nixos-24.05-wait")
    assert (result.code, result.out) == (0, "")
    assert result.err == "chainboot: 0 errors, 0 warnings, 1 note (--all shows them)\n"
    result = chainboot("check", CORPUS / "nixos-24.05-wait", "--all")
    assert (result.code, result.err) == (0, "chainboot: 0 errors, 0 warnings, 1 note\n")
    assert "info: TIMEOUT 0 waits for ever [timeout-zero]" in result.out
    found = json.loads(chainboot("check", CORPUS / "nixos-24.05-wait", "--json").out)
    assert (found["errors"], found["warnings"], found["infos"], len(found["diagnostics"])) == (0, 0, 1, 1)


@pytest.mark.parametrize("shape", sorted(path.name for path in CORPUS.glob("nixos-*") if path.is_dir()))
def test_what_nixos_writes_is_clean(chainboot: Call, shape: str) -> None:
    edited = shape == "nixos-edited-default"  # a person has changed DEFAULT there, as the file's comment suggests
    result = chainboot("check", CORPUS / shape)
    assert result.code == (1 if edited else 0)
    assert result.err.startswith(f"chainboot: 0 errors, {'1 warning' if edited else '0 warnings'}")


def call_program(*arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chainboot", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        input=options.get("input", ""),
    )


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the kernel of the fixture is for x86_64")
def test_menu_without_a_terminal_takes_lines_and_prints_the_plan() -> None:
    done = call_program("menu", "--dry-run", "--root", str(CORPUS / "nixos-24.05"), input="3\n")
    assert done.returncode == 0
    assert "chainboot: menu ready: 7 entries, default nixos-default, booting in 5 s\n" in done.stdout
    assert "boot nixos-42-hardened: " in done.stdout


def test_menu_that_is_left_exits_with_4() -> None:
    done = call_program("menu", "--dry-run", "--root", str(CORPUS / "nixos-24.05"), input="q\n")
    assert done.returncode == 4


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", usual_conf() + "".join(f"\nLABEL l{n}\n" for n in range(5000)))
    command = f"{sys.executable} -m chainboot list {root} | head -1"
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


def test_debug_shows_where_an_error_was_raised() -> None:
    done = call_program("list", "--root", "/nowhere", "--debug")
    assert "Traceback" in done.stderr


def test_version_is_the_one_of_pyproject(chainboot: Call) -> None:
    project = (Path(__file__).parents[1] / "python/pyproject.toml").read_text()
    version = project.split('\nversion = "')[1].split('"')[0]
    assert chainboot("--version").out == f"chainboot {version}\n"


def test_an_unreadable_configuration_costs_itself(chainboot: Call, nixos_root: Path) -> None:
    (nixos_root / "extlinux.conf").mkdir()
    result = chainboot("list", nixos_root)
    assert (result.code, len(result.out.splitlines())) == (0, 7)
    assert result.err == "chainboot: /extlinux.conf is a directory, not a file\n"


def test_what_stands_where_a_configuration_should_be_is_named(chainboot: Call, tmp_path: Path) -> None:
    (tmp_path / "extlinux.conf").symlink_to("extlinux.conf")
    result = chainboot("list", tmp_path)
    assert result.code == 3
    assert "no extlinux configuration was found in" in result.err
    assert "/extlinux.conf leads through more than 40 symbolic links" in result.err


def test_path_and_root_together_are_wrong_usage(chainboot: Call, nixos_root: Path) -> None:
    assert chainboot("list", nixos_root, "--root", nixos_root).code == 2


def test_usage_errors_hold_no_control_characters(chainboot: Call) -> None:
    result = chainboot("list", "--bo\x1b[31mgus")
    assert result.code == 2
    assert "\x1b" not in result.err


def test_a_hint_holds_no_control_characters(chainboot: Call, tmp_path: Path) -> None:
    label = "b\x1b[2J"
    root = write_root(tmp_path / "disk", f"INCLUDE top.cfg\nLABEL a\nLINUX k\nLABEL {label}\nLINUX k\n")
    (root / "boot/extlinux/top.cfg").write_text("DEFAULT a\n")
    result = chainboot("set-default", "--force", "--root", root, "2")
    assert result.code == 1
    assert "\n  (hint) write DEFAULT b\ufffd[2J there, or" in result.err


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the kernel of the fixture is for x86_64")
@pytest.mark.parametrize("verb", ["boot", "menu"])
def test_the_first_stage_boots_nothing_but_its_own_entries(verb: str, nixos_root: Path) -> None:
    """What a directory holds would be booted from under everybody's sessions; a dry run shows it all the same."""
    command = f"{sys.executable} -P -m chainboot {verb} --root {nixos_root}"
    text = f"""
    mount -t tmpfs none /run
    mkdir /run/chainboot
    : >/run/chainboot/first-stage
    PATH=/nowhere
    {command} --dry-run
    {command}
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", text],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        input="1\n1\n",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "python"), "TERM": "dumb"},
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("needs root and mount namespaces (unshare --mount)")
    assert done.stdout.count("boot nixos-default: NixOS - Default\n") == 1, done.stderr
    assert done.stderr.endswith(
        "chainboot: error: what a directory holds is not booted here\n  (hint) `chainboot boot ENTRY` boots an entry\n"
    )
    assert done.returncode == 1


@pytest.mark.parametrize("verb", ["image", "install", "append-secrets", "check-settings"])
@pytest.mark.parametrize("options", ["", "--loader zipl --target /boot --kernel k --initrd i", "--help"])
def test_what_the_first_stage_leaves_out_is_a_sentence(tmp_path: Path, verb: str, options: str) -> None:
    package = Path(chainboot_package.__file__).parent
    shutil.copytree(package, tmp_path / "chainboot", ignore=shutil.ignore_patterns("image", "install"))
    # -S: an editable install would help out with what is not there.
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-m", "chainboot", verb, *options.split()],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"chainboot: error: `chainboot {verb}` is not part of the first stage\n"
        "  (hint) run it on the system that is to be installed\n"
    )


def test_settings_are_checked_before_they_are_in_an_image(chainboot: Call, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("# ours\nssh_port=2222\n")
    good = chainboot("check-settings", file)
    assert (good.code, good.out, good.err) == (0, "", "chainboot: 0 errors\n")
    file.write_text("# ours\nssh_port=x\nspeed=\x1b[2J\n")
    bad = chainboot("check-settings", file)
    assert (bad.code, bad.err) == (2, "chainboot: 2 errors\n")
    assert bad.out.startswith(f"{file}:2:10: error: ssh_port=x was ignored: it wants a port, from 1 to 65535 ")
    assert f"\n{file}:3:1: error: speed is no setting of chainboot " in bad.out
    assert "\x1b" not in bad.out
    assert chainboot("check-settings", tmp_path / "none").code == 1


def test_long_talk_is_cut_and_says_where_the_rest_is(chainboot: Call, tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", "(junk\n" * 100)
    lines = chainboot("list", root).err.splitlines()
    assert sum("no-keyword" in line for line in lines) == 20
    assert "chainboot: and 80 findings more; `chainboot check` lists them" in lines


@pytest.mark.parametrize(
    "shell", ["{} list {} >/dev/full", "{} list --json {} >/dev/full", "{} check {} --all >/dev/full"]
)
def test_a_full_disk_behind_stdout_is_a_sentence(shell: str) -> None:
    command = shell.format(f"{sys.executable} -m chainboot", CORPUS / "damaged")
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "chainboot: error: No space left on device"
    assert "Traceback" not in done.stderr


def test_closed_streams_and_other_encodings_cause_no_traceback(tmp_path: Path) -> None:
    root = write_root(tmp_path / "disk", usual_conf().replace("NixOS - Default", "NixOS é 日本"))
    for command in (f"list {root} >&-", f"list {root} 2>&-", f"check {root} >&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f"{sys.executable} -m chainboot {command}"], check=False, capture_output=True, text=True
        )
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), command
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "chainboot", "list", str(root)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0
    assert "NixOS ? ??" in done.stdout
