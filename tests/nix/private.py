"""Nix with a store of its own below build/: nothing of this machine's Nix is read, and /nix is not touched.

Knows Nix's command line and settings; knows nothing of what is built. Works for root and for an ordinary user, because
the store is a directory (`store` in nix.conf(5), "chroot store").
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from chainboot.errors import ChainbootError
from chainboot.process import Completed, Runner, pasteable

# `substituters` is empty, or each build would ask a cache on the network first. No fallback: without namespaces a
# build must fail, and not see the whole machine. The directories are the host's programs, of which the stand-in's
# builders are made (tests/nix/stub/README.md). Nothing of ours may be built to go on evaluating (IFD). What a result
# was built from is kept with it.
_SETTINGS = """\
experimental-features = nix-command flakes
store = {store}
sandbox = true
sandbox-fallback = false
sandbox-paths = {paths}
build-users-group =
substituters =
flake-registry =
max-jobs = 2
allow-import-from-derivation = false
keep-outputs = true
"""
_HOST_DIRECTORIES = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/alternatives")

_SANDBOX_TRIAL = """\
derivation { name = "trial"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo > $out" ]; }
"""

_BUILD_S = 900.0


_SHOWN_LINES = 20


class NixError(ChainbootError):
    """A Nix program failed; the message has the end of what it said, in lines of its own."""

    def __str__(self) -> str:
        return self.message


def _end(said: str, lines: int = _SHOWN_LINES) -> str:
    return "\n".join(re.sub("\x1b\\[[0-9;]*m", "", said).splitlines()[-lines:])  # its colours


@dataclass(frozen=True, slots=True)
class PrivateNix:
    """Nix whose store and caches are below `home`."""

    home: Path
    runner: Runner

    def run(self, *argv: str, check: bool = True, settings: str = "") -> Completed:
        """Run a Nix program, `nix` or `nix-store`. `settings` are lines of nix.conf(5) that come last.

        Raises `NixError` if it fails and `check` is set.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        directories = " ".join(path for path in _HOST_DIRECTORIES if os.path.isdir(path))
        configuration = _SETTINGS.format(store=self.home / "root", paths=directories) + settings
        environment = (
            f"NIX_CONFIG={configuration}",
            f"NIX_CONF_DIR={self.home / 'no-configuration'}",
            "NIX_USER_CONF_FILES=",
            f"XDG_CACHE_HOME={self.home / 'cache'}",
            f"HOME={self.home / 'home'}",
        )
        command = ("env", "-u", "NIX_PATH", "-u", "NIX_REMOTE", *environment, *argv)
        done = self.runner(command, check=False, timeout=_BUILD_S)
        if check and done.returncode:
            raise NixError(f"{pasteable(argv)} failed:\n{_end(done.stderr)}")
        return done

    def lacking(self) -> str | None:
        """Why nothing can be built here, in words; None if it can."""
        for program in ("nix", "patchelf", "dpkg-deb"):
            if shutil.which(program) is None:
                return f"{program} is not installed (tools/bootstrap installs it on Debian)"
        done = self.run("nix-build", "--no-out-link", "--expr", _SANDBOX_TRIAL, check=False)
        if done.returncode:
            return f"Nix cannot build in a sandbox here: {_end(done.stderr, 2)}"
        return None

    def physical(self, path: str) -> Path:
        """Where a path of the store is found on this machine."""
        return self.home / "root" / path.lstrip("/")

    def collect(self) -> None:
        """Remove from the store what no result of a build needs any more."""
        self.run("nix-store", "--gc")

    def add(self, *files: Path, recursive: bool = False) -> None:
        """Put files, or directories if `recursive`, into the store; with the names they have, by their SHA-256."""
        option = ("--recursive",) if recursive else ()
        self.run("nix-store", *option, "--add-fixed", "sha256", *map(str, files))


@dataclass(frozen=True, slots=True)
class Flake:
    """The flake in the directory `source`, with the directory `nixpkgs` in place of its input of that name."""

    nix: PrivateNix
    source: Path
    nixpkgs: Path

    def run(self, *argv: str, attribute: str = "", check: bool = True) -> Completed:
        """`nix ARGV` with the flake, or with one attribute of it."""
        flake = f"path:{self.source}" + (f"#{attribute}" if attribute else "")
        return self.nix.run("nix", *argv, flake, *self._given(), check=check)

    def evaluate(self, attribute: str) -> str:
        """An attribute that is a string."""
        return self.run("eval", "--raw", attribute=attribute).stdout

    def build(self, *attributes: str, again: bool = False) -> dict[str, Path]:
        """Build packages at the same time, and return where the output of each is on this machine.

        They are kept until they are next built. With `again` they are built a second time, which fails if a single
        bit differs.
        """
        if not attributes:
            return {}
        kept = self.nix.home / "results" / "+".join(attributes)
        kept.parent.mkdir(exist_ok=True)
        options = ["--json", "--print-build-logs", "--out-link", str(kept), *(["--rebuild"] if again else [])]
        targets = [f"path:{self.source}#{attribute}" for attribute in attributes]
        done = self.nix.run("nix", "build", *targets, *options, *self._given())
        outputs = {built["drvPath"]: built["outputs"]["out"] for built in json.loads(done.stdout)}
        return {
            attribute: self.nix.physical(outputs[self.evaluate(f"{attribute}.drvPath")]) for attribute in attributes
        }

    def _given(self) -> tuple[str, ...]:
        return ("--override-input", "nixpkgs", f"path:{self.nixpkgs}", "--no-write-lock-file")
