"""The command line of `chainboot`: verbs, options and their help. Knows nothing of what a verb does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from chainboot.text import printable
from chainboot.trial_arguments import add_trial_verbs


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; exits with code 2 and a usage line where they make no sense, as argparse does."""
    parser = _parser()
    options = parser.parse_args(list(arguments))
    if getattr(options, "path", None) is not None and (options.root is not None or options.config is not None):
        parser.error("PATH is short for --root or --config: give one of them")
    return options


class _Parser(argparse.ArgumentParser):
    """argparse, which would repeat what was typed with its control characters."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="chainboot",
        description="A boot menu that can always be reached: reads extlinux.conf and boots its entries by kexec.",
        epilog="Exit codes: 0 done; 1 refused or failed (check: warnings); 2 wrong usage (check: errors); "
        "3 no such configuration or entry; 4 the menu was left without a choice.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _listing(verbs.add_parser("list", help="the entries, numbered, with the default"))
    check = verbs.add_parser("check", help="what is wrong with a configuration, its entries and their files")
    _listing(check)
    check.add_argument("--all", action="store_true", help="show notes too, not only errors and warnings")
    show = verbs.add_parser("show", help="everything about one entry")
    plan = verbs.add_parser("plan", help="what booting an entry would run, step by step")
    boot = verbs.add_parser("boot", help="boot an entry by kexec")
    for verb in (show, plan, boot):
        verb.add_argument("entry", nargs="?", metavar="ENTRY", help="a label or a number; the default entry if absent")
        _common(verb)
    for verb in (show, plan):
        _json(verb)
    for verb in (plan, boot):
        verb.add_argument("--append", action="append", default=[], metavar="TEXT", help="add to the command line")
        verb.add_argument("--cmdline", metavar="TEXT", help="use this command line instead of the entry's")
    menu = verbs.add_parser("menu", help="choose an entry from the menu and boot it")
    _common(menu)
    for verb in (boot, menu):
        verb.add_argument("--dry-run", action="store_true", help="print exactly what would run, and run nothing")
    _writing(
        verbs.add_parser("fmt", help="print a configuration in canonical form, or give it that form"),
        verbs.add_parser("set-default", help="make an entry the default, in the configuration file"),
    )
    _image(verbs.add_parser("image", help="build a first-stage initrd from an image spec and a sysroot"))
    _append_secrets(verbs.add_parser("append-secrets", help="put keys and settings behind an initrd that is built"))
    settings = verbs.add_parser("check-settings", help="what is wrong with a file of settings of the first stage")
    settings.add_argument("file", metavar="FILE", help="lines NAME=VALUE; comments begin with #")
    settings.add_argument("--debug", action="store_true", help="show a traceback where an error is reported")
    _install(verbs.add_parser("install", help="put a first stage where the machine's own loader starts it"))
    add_trial_verbs(verbs, _common, _json)
    return parser


def _common(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--root", metavar="DIR", help="a mounted disk, or a directory that looks like one")
    verb.add_argument("--config", metavar="FILE", help="this configuration file; inside DIR where --root is given")
    verb.add_argument("--debug", action="store_true", help="show a traceback where an error is reported")


def _json(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help="print one JSON object (docs/json.md)")


def _listing(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("path", nargs="?", metavar="PATH", help="short for --root DIR or --config FILE")
    _common(verb)
    _json(verb)


def _writing(fmt: argparse.ArgumentParser, set_default: argparse.ArgumentParser) -> None:
    set_default.add_argument("entry", metavar="ENTRY", help="a label or a number")
    set_default.add_argument("--dry-run", action="store_true", help="print what would change, and change nothing")
    set_default.add_argument(
        "--force", action="store_true", help="also an entry that cannot boot, and a file that another program writes"
    )
    for verb in (fmt, set_default):
        verb.add_argument("path", nargs="?", metavar="PATH", help="short for --root DIR or --config FILE")
        _common(verb)
    either = fmt.add_mutually_exclusive_group()
    either.add_argument("--check", action="store_true", help="print what is not canonical; exit with 1 if anything is")
    either.add_argument("--write", action="store_true", help="replace the file by its canonical form")


def _image(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--spec", required=True, metavar="FILE", help="what is in the image (docs/image-spec.md)")
    verb.add_argument("--sysroot", required=True, metavar="DIR", help="where programs, libraries and modules come from")
    verb.add_argument(
        "--store", metavar="DIR", help="a directory of this machine that the sysroot's links lead to, as /nix/store"
    )
    verb.add_argument("--output", required=True, metavar="FILE", help="the initrd to write")
    verb.add_argument("--arch", metavar="NAME", help="the machine it is for; default: the first that the spec names")
    verb.add_argument("--compress", choices=("zstd", "gzip", "none"), default="zstd", help="default: zstd")
    verb.add_argument("--level", type=int, metavar="N", help="compression level; default: the best (zstd 19, gzip 9)")
    verb.add_argument(
        "--package", action="append", default=[], metavar="NAME=DIR", help="where a Python package of the spec lies"
    )
    verb.add_argument(
        "--authorized-keys", action="append", default=[], metavar="FILE", help="who may log in over SSH, and as what"
    )
    verb.add_argument("--host-key", metavar="FILE", help="the first stage's own ed25519 key (ssh-keygen -t ed25519)")
    verb.add_argument("--settings", metavar="FILE", help="settings of the first stage, a line NAME=VALUE for each")
    verb.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting; it comes after those of --settings"
    )
    verb.add_argument("--manifest", metavar="FILE", help="also write what is in the image, and why, as JSON")
    verb.add_argument("--debug", action="store_true", help="show a traceback where an error is reported")


def _append_secrets(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--initrd", required=True, metavar="FILE", help="an initrd, as `chainboot image` makes it")
    verb.add_argument("--output", required=True, metavar="FILE", help="the initrd to write, for its owner alone (0600)")
    verb.add_argument("--host-key", metavar="FILE", help="the first stage's own ed25519 key (ssh-keygen -t ed25519)")
    verb.add_argument(
        "--authorized-keys", action="append", default=[], metavar="FILE", help="who may log in, in place of the image's"
    )
    verb.add_argument("--settings", metavar="FILE", help="settings, in place of all those of the image")
    verb.add_argument("--debug", action="store_true", help="show a traceback where an error is reported")


def _install(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--loader", required=True, choices=("zipl",), help="the machine's loader: zipl on IBM Z")
    verb.add_argument(
        "--target", required=True, metavar="DIR", help="the mounted boot volume, which holds extlinux/extlinux.conf"
    )
    verb.add_argument("--kernel", required=True, metavar="FILE", help="the first stage's kernel")
    verb.add_argument("--initrd", required=True, metavar="FILE", help="its initrd, as `chainboot image` makes it")
    verb.add_argument(
        "--parameters",
        metavar="TEXT",
        help="its kernel parameters; default: those of the first stage that is there, else this system's consoles",
    )
    verb.add_argument("--dry-run", action="store_true", help="print what would be done, step by step, and do nothing")
    verb.add_argument("--debug", action="store_true", help="show a traceback where an error is reported")
