"""The model of `make soak`, by the sentences that say what a machine with trial boots does."""

from __future__ import annotations

import pytest

from chainboot_vm.soak_model import Entry, Model


@pytest.fixture
def model() -> Model:
    """Generation 5 is new and the default, 4 and 3 are good, 2 is new."""
    good = {number: Entry(0, good=True, boots=1) for number in (4, 3)}
    return Model(5, {5: Entry(2), **good, 2: Entry(2)})


def test_a_new_default_has_two_tries_and_then_the_newest_good_one_boots(model: Model) -> None:
    assert model.boots_by_itself() == (5, (1, 2))
    assert model.boots_by_itself() == (5, (2, 2))
    assert model.boots_by_itself() == (4, None)
    assert model.boots_by_itself() == (4, None)


def test_a_blessed_one_stays(model: Model) -> None:
    model.boots_by_itself()
    model.blesses(5)
    assert model.boots_by_itself() == (5, None)
    assert model.entries[5].boots == 1


def test_a_bad_one_can_be_chosen_and_proves_itself_after_all(model: Model) -> None:
    for _ in range(2):
        model.boots(5)
    assert model.boots(5) == (3, 3)
    model.blesses(5)
    assert model.boots_by_itself() == (5, None)


def test_what_cannot_be_loaded_costs_no_try(model: Model) -> None:
    model.broken = {5, 4}
    assert model.decided() == 5
    assert model.boots_by_itself() == (3, None)
    model.broken = set()
    assert model.boots_by_itself() == (5, (1, 2))


def test_once_is_one_boot_also_of_a_bad_one(model: Model) -> None:
    model.entries[2] = Entry(0, spent=2)
    model.asks(2, once=True)
    assert model.boots_by_itself() == (2, (3, 3))
    assert model.boots_by_itself() == (5, (1, 2))


def test_once_waits_for_the_timer_or_for_a_person_who_chooses_the_same(model: Model) -> None:
    model.asks(3, once=True)
    model.boots(4)
    assert model.decided() == 3
    model.boots(3)
    assert model.decided() == 5


def test_what_was_asked_for_and_cannot_be_loaded_is_forgotten(model: Model) -> None:
    model.asks(3, once=True)
    model.broken = {3}
    assert model.boots_by_itself() == (5, (1, 2))
    model.broken = set()
    assert model.decided() == 5


def test_next_stays_until_it_is_cleared_or_the_default_changes(model: Model) -> None:
    model.asks(3, once=False)
    assert [model.boots_by_itself() for _ in range(2)] == [(3, None)] * 2
    model.clears()
    assert model.decided() == 5
    model.asks(3, once=False)
    model.sets_default(4)
    assert model.decided() == 4


def test_next_and_set_default_give_a_bad_one_fresh_tries(model: Model) -> None:
    for wish in (lambda: model.asks(2, once=False), lambda: model.sets_default(2)):
        model.entries[2] = Entry(0, spent=2)
        wish()
        assert model.boots_by_itself() == (2, (1, 2))


def test_an_update_makes_a_new_entry_and_ends_wishes_that_are_about_the_old_one(model: Model) -> None:
    model.updates(4)
    assert model.entries[4] == Entry(2)
    model.asks(3, once=True)
    model.updates(5)
    assert model.decided() == 3
    model.updates(3)
    assert model.decided() == 5
    model.asks(2, once=False)
    model.updates(5)
    assert model.decided() == 5


def test_a_rollback_goes_to_the_newest_other_good_one(model: Model) -> None:
    assert model.rolls_back(4)
    assert model.decided() == 3
    model.entries[4] = Entry(2)
    assert not model.rolls_back(3)


def test_nothing_good_leaves_the_default_then_what_has_tries_left() -> None:
    model = Model(5, {5: Entry(0, spent=2), 4: Entry(0, spent=2), 3: Entry(2), 2: Entry(2)})
    assert model.boots_by_itself() == (5, (3, 3))
    model.broken = {5}
    assert model.boots_by_itself() == (3, (1, 2))
    model.broken = {5, 3, 2}
    assert model.boots_by_itself() == (4, (3, 3))
    model.broken = {5, 4, 3, 2}
    assert model.boots_by_itself() is None
