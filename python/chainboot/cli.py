"""The command `chainboot`: from words to a verb, and the only place that exits.

Results go to stdout, talk to stderr. README.md has the table of exit codes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from chainboot import streams
from chainboot.errors import ChainbootError, NotFoundError
from chainboot.streams import talk
from chainboot.text import printable
from chainboot.verbs import EXIT_FAILED, EXIT_NOT_FOUND, EXIT_OK, FIRST_STAGE, VERBS, look_for_wing


def main(argv: Sequence[str] | None = None) -> None:
    """The command. Exits; never returns."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    streams.prepare()
    try:
        code = _run(arguments)
        streams.flush()
    except ChainbootError as error:
        if "--debug" in arguments:
            raise
        talk(f"chainboot: error: {error}")
        if error.hint:
            talk(f"  (hint) {printable(error.hint)}")
        code = EXIT_NOT_FOUND if isinstance(error, NotFoundError) else EXIT_FAILED
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # `chainboot list | head`: the reader has what it wanted. Keep Python from complaining at exit.
        streams.discard()
        code = EXIT_OK
    except OSError as error:
        streams.discard()
        talk(f"chainboot: error: {error.strerror or error}")
        code = EXIT_FAILED
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    # The first stage's own verbs come first: argparse alone costs a tenth of a second there.
    if arguments[:1] in (["console"], ["login"], ["prepare-ssh"]):
        from chainboot.services import serve

        return serve(arguments)
    if arguments and os.path.exists(FIRST_STAGE):
        from chainboot.services import is_local, local

        if is_local(arguments):
            return local(arguments)
    if arguments == ["--version"]:
        print(f"chainboot {_version()}")
        return EXIT_OK
    if arguments[:1] == ["login-shell"]:  # what follows is a stranger's: argparse would explain itself to them
        from chainboot.services import login_shell

        return login_shell(arguments[1:])
    look_for_wing(arguments[0] if arguments else "")  # before argparse asks for their many options
    from chainboot.arguments import parse_arguments

    options = parse_arguments(arguments)
    return VERBS[options.verb](options)


def _version() -> str:
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:  # the first stage, whose image leaves it out
        return "(version unknown)"
    try:
        return version("chainboot")
    except PackageNotFoundError:  # a source tree that was not installed
        return "(version unknown)"
