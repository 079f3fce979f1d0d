"""stdout for results and stderr for talk, whatever is behind them: a closed pipe, a full disk, a latin-1 terminal."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

from chainboot.listing import Json


def prepare() -> None:
    """Let what a stream cannot encode become `?` instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def talk(text: str) -> None:
    """Say `text` on stderr. Talk that nobody can hear makes nothing fail."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def print_json(value: Json) -> None:
    """The result as JSON on stdout."""
    import json

    print(json.dumps(value, indent=2))


def flush() -> None:
    """Send the result; raises OSError where it cannot be sent."""
    if sys.stdout is not None:  # None: it was closed before we came, so nobody wants the result
        sys.stdout.flush()


def discard() -> None:
    """Throw away what stdout still holds, so that Python does not complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
