"""The words that one kernel leaves for the next: what is said, and what is believed of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainboot.boot.cmdline import with_parameters
from chainboot.trial.words import Booted, read_words, words

ID = "0123456789abcdef"


def test_a_good_entry_is_named_and_nothing_else() -> None:
    assert words(ID, None, "quiet", 30, "i6300esb:600") == f"chainboot.entry={ID}"


def test_a_trial_says_which_it_is_and_ends_a_panic() -> None:
    assert words(ID, (1, 2), "quiet", 30, "") == f"chainboot.entry={ID} chainboot.trial=1/2 panic=30"


def test_a_trial_names_its_watchdog_and_how_long_the_kernel_may_feed_it() -> None:
    assert words(ID, (2, 2), "quiet", 0, "iTCO_wdt:600") == (
        f"chainboot.entry={ID} chainboot.trial=2/2 chainboot.watchdog=iTCO_wdt:600 watchdog.open_timeout=600"
    )


def test_the_entry_may_say_itself_how_long_its_kernel_feeds_a_watchdog() -> None:
    assert "open_timeout" not in words(ID, (1, 2), "watchdog.open_timeout=60", 0, "iTCO_wdt:600")


@pytest.mark.parametrize(
    "cmdline", ["panic=10", "quiet panic=-1", "panic=0 panic=5", "panic=soon panic=5", '"panic=5"']
)
def test_a_panic_that_restarts_the_machine_already_is_left_alone(cmdline: str) -> None:
    assert "panic=" not in words(ID, (1, 2), cmdline, 30, "")


@pytest.mark.parametrize(
    "cmdline", ["panic=0", "panic=00", "panic=5 panic=0", "panic=", "panic=soon", "nopanic=5", "-- panic=5"]
)
def test_one_that_stands_still_is_not(cmdline: str) -> None:
    assert words(ID, (1, 2), cmdline, 30, "").endswith(" panic=30")


@given(
    st.sampled_from(["", "quiet", "init=/x -- single", 'dyndbg="file x +p"', "panic=0", f"chainboot.entry={'f' * 16}"]),
    st.none() | st.tuples(st.integers(1, 99), st.integers(1, 99)),
    st.sampled_from(["", "i6300esb:600", "diag288_wdt:15"]),
)
def test_what_is_said_is_read_again(cmdline: str, trial: tuple[int, int] | None, watchdog: str) -> None:
    told = with_parameters(cmdline, words(ID, trial, cmdline, 30, watchdog))
    driver, _, seconds = watchdog.partition(":")
    left = (driver, int(seconds)) if trial and watchdog else None
    assert read_words(told) == Booted(ID, trial, left)


@pytest.mark.parametrize(
    "cmdline",
    [
        "",
        "quiet",
        "chainboot.entry",
        "chainboot.entry=",
        f"chainboot.entry={ID[:-1]}",
        f"chainboot.entry={ID.upper()}",
        "chainboot.entry=../../../../etc/x",
        f"-- chainboot.entry={ID}",
    ],
)
def test_a_boot_without_a_whole_id_is_not_counted(cmdline: str) -> None:
    assert read_words(cmdline) is None


@pytest.mark.parametrize(
    "words_", ["chainboot.trial=1", "chainboot.trial=1/2/3", "chainboot.trial=a/2", "chainboot.trial=1/9999999999"]
)
def test_a_try_that_cannot_be_read_is_none(words_: str) -> None:
    assert read_words(f"chainboot.entry={ID} {words_}") == Booted(ID)


@pytest.mark.parametrize(
    "word", ["i6300esb", "i6300esb:", ":600", "i6300esb:-1", "--help:600", "../x:600", "a\x1bb:600", "\u00e9:600"]
)
def test_a_watchdog_that_cannot_be_one_is_none(word: str) -> None:
    assert read_words(f"chainboot.entry={ID} chainboot.watchdog={word}") == Booted(ID)
