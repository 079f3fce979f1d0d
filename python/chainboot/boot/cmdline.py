"""Kernel command lines as words. Pure.

The rule is the kernel's own (lib/cmdline.c, next_arg): blanks separate, double quotes keep blanks together and
there is no escape; everything after `--` is for init.
"""

from __future__ import annotations

_BLANKS = " \t\n\v\f\r"


def split(text: str) -> tuple[str, ...]:
    """The parameters of a command line, quotes as they stand (`dyndbg="file x +p"` is one)."""
    words: list[str] = []
    word: list[str] = []
    quoted = False
    for char in text:
        if char == '"':
            quoted = not quoted
        if char in _BLANKS and not quoted:
            if word:
                words.append("".join(word))
                word = []
        else:
            word.append(char)
    if word:
        words.append("".join(word))
    return tuple(words)


def values(text: str, name: str) -> tuple[str, ...]:
    """Every value that parameter `name` has, in order; quotes around a value are taken off.

    The kernel treats `-` and `_` in names alike (lib/cmdline.c, parameqn).
    """
    found: list[str] = []
    for word in split(text):
        if word == "--":
            break
        key, equals, value = word.strip('"').partition("=")
        if equals and key.replace("-", "_") == name.replace("-", "_"):
            found.append(value.strip('"'))
    return tuple(found)


def with_parameters(text: str, words: str) -> str:
    """`text` with `words` at the end of what the kernel reads: before `--`, behind which all is for init.

    A quote that nobody closes makes one word of all that follows: they stand before that word.
    """
    end = len(text)
    quoted = False
    start = 0  # of the word that is being read
    for position, char in enumerate(f"{text} "):
        if char == '"':
            quoted = not quoted
        if char in _BLANKS and not quoted:
            if text[start:position] == "--":
                end = start
                break
            start = position + 1
    else:
        if quoted:
            end = start
    return join(text[:end].rstrip(_BLANKS), words, text[end:])


def join(*parts: str) -> str:
    """Command-line parts one after the other, with one blank between those that hold anything."""
    return " ".join(part for part in parts if part)
