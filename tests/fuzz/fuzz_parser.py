"""The fuzzer of the reader: atheris (libFuzzer for Python) over parser_target.one_input.

    python tests/fuzz/fuzz_parser.py -max_total_time=60

atheris is no dependency of this project: `make fuzz SECONDS=60` installs it into a venv of its own. The options are
libFuzzer's. Inputs that reach new code are kept in build/fuzz/corpus, so that the next run goes on from there. An
input that fails is written to build/fuzz; it belongs into tests/fuzz/regressions, where pytest runs it for ever.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build/fuzz"

sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests")]
with atheris.instrument_imports(include=["chainboot"]):
    from fuzz.parser_target import one_input

    from chainboot.extlinux.evaluation import _MEANING


def seeds(into: Path) -> Path:
    """The fixtures of the tests, one file each: libFuzzer starts from them."""
    into.mkdir(parents=True, exist_ok=True)
    found = [path for path in (ROOT / "tests/corpus").rglob("*") if path.suffix in (".conf", ".cfg")]
    for number, path in enumerate(sorted(found)):
        (into / f"{number:03}").write_bytes(path.read_bytes())
    return into


def dictionary(path: Path) -> Path:
    """The words of the language as libFuzzer wants them, taken from the evaluation, so that none is forgotten."""
    others = ("TEXT HELP\\x0a", "ENDTEXT\\x0a", "\\x1e", "\\x0aLABEL ", "\\x0d\\x0a", "initrd=", ".c32", "${")
    path.write_text("".join(f'"{word}"\n' for word in (*_MEANING, *others)))
    return path


def fuzz_one_input(data: bytes) -> None:
    """What atheris calls."""
    one_input(data)


def main() -> None:
    """Run until libFuzzer's options say that it is enough; exits by itself."""
    corpus = WORK / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    options = ["-max_len=4096", "-timeout=20", f"-dict={dictionary(WORK / 'words.dict')}", f"-artifact_prefix={WORK}/"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(corpus), str(seeds(WORK / "seeds"))], fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
