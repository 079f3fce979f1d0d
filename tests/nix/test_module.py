"""The shell scripts of the NixOS module, run with the variables that the module gives them and made-up programs.

That the module gives them is proved on a real nixpkgs tree: tests/nix/rich.sh.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import pytest

Result = subprocess.CompletedProcess[str]
REPOSITORY = Path(__file__).parents[2]
MODULES = REPOSITORY / "modules"


def ends(errors: str, warnings: str) -> str:
    """What `chainboot check` says last, as a line of a made-up one; its other verbs say nothing."""
    return f'[ "$1" != check ] || echo "chainboot: {errors}, {warnings}" >&2'


SOUND = ends("0 errors", "0 warnings")
BROKEN = ends("2 errors", "0 warnings")


@dataclass(frozen=True, slots=True)
class Place:
    """A directory for one test, and the programs that it made; each writes how it was called to `calls`."""

    root: Path

    def program(self, name: str, body: str = "", *, code: int = 0) -> Path:
        """An executable that notes its arguments, runs `body` and exits with `code`."""
        path = self.root / name
        called = f'printf "%s\\n" "{name} $*" >>{quote(str(self.root / "calls"))}'
        path.write_text(f"#!/bin/sh\n{called}\n{body}\nexit {code}\n")
        path.chmod(0o755)
        return path

    def calls(self) -> list[str]:
        """The calls of all programs, in order."""
        path = self.root / "calls"
        return path.read_text().replace(str(self.root), "ROOT").splitlines() if path.exists() else []

    def run(
        self,
        script: str,
        variables: Mapping[str, str | Path],
        *arguments: str,
        header: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Result:
        """The script of the module, with what the module writes before it."""
        path = self.root / script
        given = "".join(f"{name}={quote(str(value))}\n" for name, value in variables.items())
        path.write_text(f"#!/bin/sh\n{header}{given}{(MODULES / script).read_text()}")
        return subprocess.run(
            ["sh", str(path), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": os.environ["PATH"], "TMPDIR": str(self.root), **(environment or {})},
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def install_boot_loader(place: Place, system: str = "system-1", **variables: str | Path) -> Result:
    """A run as switch-to-configuration makes it; `variables` replace the module's."""
    (place.root / system).mkdir(exist_ok=True)
    (place.root / "gcroots").mkdir(exist_ok=True)
    if not (place.root / "builder").exists():
        place.program("builder")
    chainboot = place.root / "chainboot"
    given = {
        "CHAINBOOT": chainboot if chainboot.exists() else place.program("chainboot", SOUND),
        "PROGRAMS": os.environ["PATH"],
        "VOLUMES": "/boot",
        "ON_PROBLEM": "warn",
        "LOADER": "",
        "DIRECTORY": "",
        "FIRST_STAGE": "",
        "GC_ROOTS": place.root / "gcroots",
        "SCRATCH": place.root,
        **variables,
    }
    header = f'boot_loader() {{ {quote(str(place.root / "builder"))} -g 20 -t 5 -c "$@"; }}\n'
    return place.run("install-boot-loader.sh", given, str(place.root / system), header=header)


class TestInstallBootLoader:
    def test_the_boot_loader_comes_first_and_the_check_after_it(self, place: Place) -> None:
        result = install_boot_loader(place)
        assert (result.returncode, result.stderr) == (0, "chainboot: 0 errors, 0 warnings\n")
        assert place.calls() == ["builder -g 20 -t 5 -c ROOT/system-1", "chainboot check /boot"]

    def test_a_boot_loader_that_fails_ends_it_with_its_exit_code(self, place: Place) -> None:
        place.program("builder", code=7)
        assert install_boot_loader(place).returncode == 7
        assert place.calls() == ["builder -g 20 -t 5 -c ROOT/system-1"]

    def test_a_warning_is_printed_and_never_fails(self, place: Place) -> None:
        place.program("chainboot", f"echo found; {ends('0 errors', '1 warning')}", code=1)
        result = install_boot_loader(place, ON_PROBLEM="fail")
        assert (result.returncode, result.stdout) == (0, "")
        assert result.stderr == (
            "found\nchainboot: 0 errors, 1 warning\n"
            "chainboot: the boot configuration of /boot has the warnings above; it can be booted\n"
        )

    def test_an_error_says_what_to_do_and_does_not_fail_by_itself(self, place: Place) -> None:
        place.program("chainboot", f"echo found; {ends('1 error', '3 warnings')}", code=2)
        result = install_boot_loader(place)
        assert result.returncode == 0
        assert result.stderr == (
            "found\nchainboot: 1 error, 3 warnings\n"
            "chainboot: the boot configuration of /boot has the errors above: an entry of it may not boot. "
            "The running system is not touched.\n"
            "chainboot: Mend what they name and run 'nixos-rebuild boot' again; 'chainboot check /boot' looks again "
            "without a rebuild.\n"
        )

    def test_an_error_fails_where_it_is_to(self, place: Place) -> None:
        place.program("chainboot", BROKEN, code=2)
        result = install_boot_loader(place, ON_PROBLEM="fail")
        assert result.returncode == 1
        assert result.stderr.endswith(
            'check.onProblem is "fail", so this is an error; "warn" goes on.\n'
            "chainboot: The new configuration is written already and is the default of the next boot. The first stage "
            "is as it was.\n"
        )

    @pytest.mark.parametrize(
        ("said", "code"),
        [
            ("Traceback (most recent call last):\nKeyError: 'x'", 1),  # Python's own exit code is that of warnings
            ("", 1),
            ("", 0),
            ("chainboot: error: /boot has no configuration", 3),
            ("chainboot: 0 errors, 0 warnings\nKilled", 137),
        ],
    )
    def test_a_check_that_did_not_come_to_its_end_is_no_good_news(self, place: Place, said: str, code: int) -> None:
        place.program("chainboot", f"printf '%s' {quote(said)}", code=code)
        result = install_boot_loader(place, ON_PROBLEM="fail")
        assert result.returncode == 1
        assert f"could not be checked: 'chainboot check /boot' ended with exit code {code}.\n" in result.stderr

    def test_the_real_check_says_what_is_waited_for(self, place: Place) -> None:
        real = f"PYTHONPATH={quote(str(REPOSITORY / 'python'))} exec {quote(sys.executable)} -m chainboot"
        corpus = REPOSITORY / "tests" / "corpus"
        chainboot = place.program("chainboot", f'{real} "$@"')
        good = install_boot_loader(place, CHAINBOOT=chainboot, ON_PROBLEM="fail", VOLUMES=corpus / "nixos-24.05")
        assert good.returncode == 0, good.stderr
        bad = install_boot_loader(place, CHAINBOOT=chainboot, ON_PROBLEM="fail", VOLUMES=corpus / "damaged")
        assert bad.returncode == 1
        assert "has the errors above" in bad.stderr

    def test_a_reader_that_is_gone_does_not_end_it(self, place: Place) -> None:
        """`nixos-rebuild switch |& head`: the install goes on, and is no failure."""
        place.program("chainboot", f"seq 100000; {SOUND}")
        read, write = os.pipe()
        os.close(read)
        script = place.root / "install-boot-loader.sh"
        install_boot_loader(place)
        done = subprocess.run(["sh", str(script), str(place.root / "system-1")], stderr=write, timeout=60, check=False)
        os.close(write)
        assert done.returncode == 0

    def test_every_volume_is_checked_and_none_where_that_is_off(self, place: Place) -> None:
        install_boot_loader(place, VOLUMES="/boot\n/boot two")
        install_boot_loader(place, ON_PROBLEM="ignore")
        assert place.calls()[1:3] == ["chainboot check /boot", "chainboot check /boot two"]
        assert place.calls()[3:] == ["builder -g 20 -t 5 -c ROOT/system-1"]


def zipl(place: Place, system: str = "system-1", **variables: str | Path) -> Result:
    """A run with firstStage.install = "zipl"."""
    writer = place.root / "writer"
    if not writer.exists():
        place.program(
            "writer", 'for name in kernel initrd; do : >"$1/$name"; done; echo console=ttysclp0 >"$1/cmdline"'
        )
    return install_boot_loader(place, system, LOADER="zipl", **{"FIRST_STAGE": writer, **variables})


class TestDirectory:
    def test_the_first_stage_is_written_into_a_new_directory_for_root(self, place: Place) -> None:
        directory = place.root / "boot" / "first stage"
        writer = place.program("writer", 'echo written; : >"$1/kernel"')
        result = install_boot_loader(place, DIRECTORY=directory, FIRST_STAGE=writer)
        assert (result.returncode, result.stdout) == (0, "")
        assert place.calls()[1:] == ["chainboot check /boot", "writer ROOT/boot/first stage"]
        assert directory.stat().st_mode & 0o777 == 0o700
        assert install_boot_loader(place, DIRECTORY=directory, FIRST_STAGE=writer).returncode == 0

    @pytest.mark.parametrize("code", [0, 1])
    def test_a_failure_is_one_and_zipl_gets_its_own(self, place: Place, code: int) -> None:
        body = 'case $1 in */boot) exit 1 ;; esac; for name in kernel initrd cmdline; do echo >"$1/$name"; done'
        writer = place.program("writer", body, code=code)
        result = zipl(place, DIRECTORY=place.root / "boot", FIRST_STAGE=writer)
        assert result.returncode == 1
        assert (
            f"in {place.root}/boot (boot.chainboot.firstStage.directory) was not renewed: a key or a" in result.stderr
        )
        assert len([call for call in place.calls() if " install " in call]) == 1 - code

    def test_nothing_is_written_after_a_check_that_failed(self, place: Place) -> None:
        place.program("chainboot", BROKEN, code=2)
        assert install_boot_loader(place, DIRECTORY=place.root / "boot", ON_PROBLEM="fail").returncode == 1
        assert not (place.root / "boot").exists()


class TestZipl:
    def roots(self, place: Place) -> dict[str, str]:
        return {link.name: os.path.basename(os.readlink(link)) for link in (place.root / "gcroots").iterdir()}

    def test_the_first_stage_is_written_and_installed_after_the_check(self, place: Place) -> None:
        result = zipl(place)
        assert result.returncode == 0
        builder, check, writer, install = place.calls()
        assert builder.startswith("builder ")
        assert check == "chainboot check /boot"
        files = writer.removeprefix("writer ")
        assert install == (
            f"chainboot install --loader zipl --target /boot --kernel {files}/kernel --initrd {files}/initrd "
            "--parameters console=ttysclp0"
        )

    def test_its_files_are_for_root_only_and_do_not_stay(self, place: Place) -> None:
        place.program("writer", f'stat -c %a "$1" >{quote(str(place.root / "mode"))}; echo >"$1/cmdline"')
        zipl(place)
        assert (place.root / "mode").read_text() == "700\n"
        assert list(place.root.glob("chainboot-first-stage.*")) == []

    def test_the_system_that_skip_starts_is_kept_and_the_one_before_it_goes(self, place: Place) -> None:
        zipl(place, "system-1")
        zipl(place, "system-2")
        assert self.roots(place) == {"chainboot-skip-system-2": "system-2"}

    def test_after_an_install_that_failed_both_are_kept(self, place: Place) -> None:
        zipl(place, "system-1")
        place.program("chainboot", f'{SOUND}; [ "$1" = check ] || exit 1')
        result = zipl(place, "system-2")
        assert result.returncode == 1
        assert set(self.roots(place).values()) == {"system-1", "system-2"}
        assert result.stderr.endswith(
            "chainboot: the first stage was not installed to its end: the machine starts the one of before or the new "
            "one, and both\n"
            "chainboot: are whole. Mend what the lines above name and run 'nixos-rebuild boot' again.\n"
        )

    def test_a_first_stage_that_cannot_be_written_installs_nothing(self, place: Place) -> None:
        place.program("writer", code=1)
        assert zipl(place).returncode == 1
        assert [call for call in place.calls() if " install " in call] == []

    def test_nothing_is_written_after_a_check_that_failed(self, place: Place) -> None:
        place.program("chainboot", BROKEN, code=2)
        assert zipl(place, ON_PROBLEM="fail").returncode == 1
        assert len(place.calls()) == 2

    def test_the_system_is_found_behind_links(self, place: Place) -> None:
        (place.root / "profile").symlink_to("system-1")
        (place.root / "system-1").mkdir()
        (place.root / "gcroots").mkdir()
        zipl(place, "profile")
        assert self.roots(place) == {"chainboot-skip-system-1": "system-1"}


FIRST = {
    "kernel": "bzImage\n",
    "config-6.6.60": "config\n",
    "initrd": "store-initrd\n",
    "cmdline": 'console=tty0 dyndbg="file a +p"\n',
}
OTHER = {"kernel": "other-kernel\n", "config-6.12.1": "config\n", "initrd": "other-initrd\n", "cmdline": "other\n"}


class TestWriteFirstStage:
    def write(self, place: Place, *arguments: str, **variables: str) -> Result:
        for name in ("bzImage", "config", "store-initrd"):
            (place.root / name).write_text(f"{name}\n")
            (place.root / name).chmod(0o444)
        (place.root / "target").mkdir(exist_ok=True)
        given: dict[str, str | Path] = {
            "CHAINBOOT": place.program("chainboot", 'while [ "$1" != --output ]; do shift; done; echo with key >"$2"'),
            "KERNEL": place.root / "bzImage",
            "CONFIG": place.root / "config",
            "RELEASE": "6.6.60",
            "INITRD": place.root / "store-initrd",
            "CMDLINE": 'console=tty0 dyndbg="file a +p"',
            "HOST_KEY": "",
            "PATH": os.environ["PATH"],
            **variables,
        }
        return place.run("write-first-stage.sh", given, *(arguments or [str(place.root / "target")]))

    def files(self, place: Place, inside: str = ".") -> dict[str, str]:
        return {path.name: path.read_text() for path in (place.root / "target" / inside).iterdir() if path.is_file()}

    def other(self, place: Place, **variables: str) -> Result:
        """A second first stage: another kernel of another release, another initrd and command line."""
        for name in ("other-kernel", "other-initrd"):
            (place.root / name).write_text(f"{name}\n")
        given = {"KERNEL": str(place.root / "other-kernel"), "INITRD": str(place.root / "other-initrd")}
        return self.write(place, **{**given, "RELEASE": "6.12.1", "CMDLINE": "other", **variables})

    def with_mv(self, place: Place, body: str) -> str:
        """A PATH with a made-up mv in front of it."""
        programs = Place(place.root / "programs")
        programs.root.mkdir()
        programs.program("mv", body)
        return f"{programs.root}:{os.environ['PATH']}"

    def test_it_writes_what_a_loader_needs(self, place: Place) -> None:
        assert self.write(place).returncode == 0
        assert self.files(place) == FIRST
        assert {path.stat().st_mode & 0o777 for path in (place.root / "target").iterdir()} == {0o600}

    def test_what_a_power_cut_left_of_an_initrd_goes(self, place: Place) -> None:
        (place.root / "target").mkdir()
        (place.root / "target" / ".chainboot-0123").write_text("half of it, with a key")
        self.write(place)
        assert sorted(self.files(place)) == ["cmdline", "config-6.6.60", "initrd", "kernel"]

    def test_it_can_be_run_again_and_needs_no_configuration_of_the_kernel(self, place: Place) -> None:
        self.write(place, CONFIG="", RELEASE="")
        assert sorted(self.files(place)) == ["cmdline", "initrd", "kernel"]
        assert self.write(place, CMDLINE="new").returncode == 0
        assert self.files(place)["cmdline"] == "new\n"

    def test_what_was_there_before_is_kept_whole_and_its_configuration_goes(self, place: Place) -> None:
        self.write(place)
        assert self.other(place).returncode == 0
        assert self.files(place) == OTHER
        assert self.files(place, "previous") == FIRST
        assert self.other(place, CMDLINE="third").returncode == 0
        assert self.files(place, "previous") == OTHER
        mode = (place.root / "target" / "previous").stat().st_mode
        assert mode & 0o777 == 0o700

    def test_the_first_time_there_is_no_previous_one(self, place: Place) -> None:
        self.write(place)
        assert sorted(path.name for path in (place.root / "target").iterdir()) == sorted(FIRST)

    def test_what_has_not_changed_is_left_as_it_is(self, place: Place) -> None:
        self.write(place)
        self.other(place)
        target = place.root / "target"
        before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in target.rglob("*")}
        result = self.other(place)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.endswith("target has this first stage already; nothing was changed\n")
        assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in target.rglob("*")} == before

    def test_who_is_killed_between_two_renames_has_the_previous_one(self, place: Place) -> None:
        self.write(place)
        path = self.with_mv(place, '/bin/mv "$@"; case "$*" in *kernel.new*) kill -9 $PPID ;; esac')
        assert self.other(place, PATH=path).returncode == -9
        assert self.files(place)["kernel"] == "other-kernel\n"
        assert self.files(place)["initrd"] == "store-initrd\n"
        assert self.files(place, "previous") == FIRST
        # What is half of each never becomes the previous one, and the next run ends it.
        assert self.other(place).returncode == 0
        assert self.files(place) == OTHER
        assert self.files(place, "previous") == FIRST

    def test_who_is_killed_after_the_last_rename_is_tidied_up(self, place: Place) -> None:
        self.write(place)
        path = self.with_mv(place, '/bin/mv "$@"; case "$*" in *config-6.12.1.new*) kill -9 $PPID ;; esac')
        assert self.other(place, PATH=path).returncode == -9
        assert self.files(place).keys() == OTHER.keys() | {"config-6.6.60", ".switching"}
        assert self.other(place).returncode == 0
        assert self.files(place) == OTHER
        assert self.files(place, "previous") == FIRST

    @pytest.mark.parametrize("signal", ["HUP", "INT", "TERM"])
    def test_a_signal_between_two_renames_is_held(self, place: Place, signal: str) -> None:
        self.write(place)
        path = self.with_mv(place, f'/bin/mv "$@"; kill -{signal} $PPID')
        assert self.other(place, PATH=path).returncode == 0
        assert self.files(place) == OTHER
        assert self.files(place, "previous") == FIRST

    def test_a_rename_that_fails_says_which_one_is_whole_and_keeps_the_new_files(self, place: Place) -> None:
        self.write(place)
        path = self.with_mv(place, 'case "$*" in *initrd.new*) exit 1 ;; esac; /bin/mv "$@"')
        result = self.other(place, PATH=path)
        assert result.returncode == 1
        target = place.root / "target"
        assert result.stderr == (
            f"chainboot-first-stage: stopped between the files: {target} has some of the new first stage and some of "
            "the old one.\n"
            f"chainboot-first-stage: {target}/previous has a first stage that is whole: start that one.\n"
            "chainboot-first-stage: Run it again, which writes all of them.\n"
        )
        assert self.files(place)["initrd.new"] == "other-initrd\n"
        assert self.files(place, "previous") == FIRST

    def test_files_are_copied_where_there_are_no_links(self, place: Place) -> None:
        self.write(place)
        path = self.with_mv(place, '/bin/mv "$@"')
        Place(place.root / "programs").program("ln", code=1)
        assert self.other(place, PATH=path).returncode == 0
        assert self.files(place, "previous") == FIRST

    def test_the_host_key_is_added_from_its_path(self, place: Place) -> None:
        key = place.root / "host key"
        key.write_text("secret")
        assert self.write(place, HOST_KEY=str(key)).returncode == 0
        assert self.files(place)["initrd"] == "with key\n"
        assert place.calls() == [
            "chainboot append-secrets --initrd ROOT/store-initrd --output ROOT/target/initrd.new "
            "--host-key ROOT/host key"
        ]

    def test_where_it_fails_all_is_as_it_was(self, place: Place) -> None:
        """A new kernel beside an old initrd would find no disk."""
        assert self.write(place).returncode == 0
        before = self.files(place)
        key = place.root / "key"
        key.write_text("cut off")
        other = place.root / "other-kernel"
        other.write_text("other")
        refusing = place.program("refusing", "echo no such key >&2; exit 1")
        result = self.write(place, KERNEL=str(other), HOST_KEY=str(key), CHAINBOOT=str(refusing))
        assert (result.returncode, result.stderr) == (1, "no such key\n")
        assert self.files(place) == before

    def test_a_missing_host_key_is_said_before_anything_is_written(self, place: Place) -> None:
        result = self.write(place, HOST_KEY="/nowhere/host_key")
        assert result.returncode == 1
        assert result.stderr == (
            "chainboot-first-stage: /nowhere/host_key (boot.chainboot.ssh.hostKeys) cannot be read\n"
            "hint: make it, as root: ssh-keygen -t ed25519 -N '' -f /nowhere/host_key\n"
        )
        assert self.files(place) == {}

    def test_it_wants_one_directory(self, place: Place) -> None:
        assert self.write(place, "/nowhere").returncode == 2
        assert self.write(place, "a", "b").stderr.startswith("usage: chainboot-first-stage DIRECTORY")


class TestLoginShellOfRoot:
    def start(self, place: Place, *arguments: str, **environment: str) -> Result:
        shown = place.root / "environment"
        program = place.program("chainboot", f'for word; do printf "<%s>" "$word"; done; env >{quote(str(shown))}')
        given: dict[str, str | Path] = {
            "CHAINBOOT": program,
            "ENV": "/usr/bin/env",
            "PROGRAMS": "/usr/bin:/bin",
            "ROLE": "boot",
        }
        return place.run("login-shell-root.sh", given, *arguments, environment=environment)

    def test_a_person_gets_the_menu(self, place: Place) -> None:
        assert self.start(place).stdout == "<login-shell><--role><boot>"

    def test_words_are_passed_on_as_one(self, place: Place) -> None:
        assert (
            self.start(place, "-c", "show 'a b'; reboot").stdout == "<login-shell><--role><boot><-cshow 'a b'; reboot>"
        )

    def test_words_that_look_like_an_option_are_words(self, place: Place) -> None:
        assert self.start(place, "-c", "--role admin").stdout == "<login-shell><--role><boot><-c--role admin>"

    @pytest.mark.parametrize(
        "arguments", [("--role", "admin"), ("-l",), ("-c",), ("-c", "list", "--role", "admin"), ("--role=admin",)]
    )
    def test_nothing_else_is_taken(self, place: Place, arguments: tuple[str, ...]) -> None:
        result = self.start(place, *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == "chainboot: this login shell takes no options\n"
        assert place.calls() == []

    def test_the_environment_is_made_anew(self, place: Place) -> None:
        known = {
            "TERM": "vt100",
            "SUDO_USER": "operator",
            "SSH_CONNECTION": "a 1 b 22",
            "SSH_ORIGINAL_COMMAND": "boot 3",
        }
        self.start(place, PYTHONPATH="/tmp/evil", LD_LIBRARY_PATH="/tmp/evil", **known)
        lines = (place.root / "environment").read_text().splitlines()
        # The made-up program is a script itself, and its shell adds some.
        given = [line for line in lines if line.partition("=")[0] not in ("PWD", "SHLVL", "_")]
        assert dict(line.split("=", 1) for line in given) == {"PATH": "/usr/bin:/bin", **known}
