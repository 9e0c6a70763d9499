"""rnn_examples.sequences.order against brute force and closed forms."""

import itertools
from collections import Counter
from math import log2, prod

import pytest
import torch
from torch.testing import assert_close

from rnn_examples.sequences.order import a_before_b, bag_of_symbols, bits, sticky_coin


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def probability(x, stay):
    """Of one sequence of tosses, factor by factor."""
    return 0.5 * prod(stay if a == b else 1 - stay for a, b in itertools.pairwise(x))


@pytest.mark.parametrize("stay", [0.1, 0.5, 0.75])
@pytest.mark.parametrize("T", [1, 2, 5])
def test_bits_are_those_of_the_product_and_probabilities_sum_to_one(T, stay):
    total = 0.0
    for x in itertools.product([0, 1], repeat=T):
        ours = bits(torch.tensor(x), stay)
        assert ours == pytest.approx(-log2(probability(x, stay)) / T)
        total += 2 ** (-T * ours)
    assert total == pytest.approx(1)


def test_a_long_toss_costs_the_entropy_rate():
    stay, T = 0.9, 200_000
    rate = -stay * log2(stay) - (1 - stay) * log2(1 - stay)
    x = sticky_coin(T, stay, seeded())
    assert x.shape == (T,) and set(x.tolist()) == {0, 1}
    assert bits(x, stay) == pytest.approx(rate, abs=0.01)  # 3 standard errors
    assert (x[1:] == x[:-1]).double().mean().item() == pytest.approx(stay, abs=0.003)
    assert abs(bits(x[torch.randperm(T, generator=seeded())], stay) - rate) > 0.5


def test_a_draw_of_exactly_stay_is_a_change():
    g = seeded()
    torch.randint(2, (1,), generator=g)  # the first toss
    draw = torch.rand(1, generator=g).item()  # rand < stay has p = stay
    first, second = sticky_coin(2, draw, seeded())
    assert first != second


@pytest.mark.parametrize("stay", [0.1, 0.5, 0.9])
def test_the_first_toss_is_fair(stay):
    starts = [sticky_coin(3, stay, seeded(s))[0].item() for s in range(400)]
    assert 150 < sum(starts) < 250  # 5 standard errors


def test_the_coin_needs_a_toss():
    with pytest.raises(ValueError, match="T is 0; need at least 1 toss"):
        sticky_coin(0, 0.5, seeded())
    assert sticky_coin(1, 0.5, seeded()).shape == (1,)


@pytest.mark.parametrize("sizes", [(1, 2, 3), (7, 5, 4), (4, 9, 12)], ids=str)
def test_a_before_b_by_reading_each_sequence(sizes):
    pairs, T, V = sizes
    x, label = a_before_b(pairs, T, V, seeded())
    assert x.shape == (T, 2 * pairs) and label.shape == (2 * pairs,)
    for sequence, y in zip(x.T.tolist(), label.tolist(), strict=True):
        assert Counter(sequence)[0] == Counter(sequence)[1] == 1
        assert y == (sequence.index(0) < sequence.index(1))
        assert all(0 <= s < V for s in sequence)
    for k in range(pairs):
        swap = {0: 1, 1: 0}
        partner = [swap.get(s, s) for s in x[:, k].tolist()]
        assert x[:, k + pairs].tolist() == partner


def test_every_place_and_every_other_symbol_occurs():
    x, _ = a_before_b(400, 4, 5, seeded())
    assert set(x[2:].flatten().tolist()) == {0, 1, 2, 3, 4}
    where = {(s.index(0), s.index(1)) for s in x.T.tolist()}
    assert len(where) == 4 * 3
    middle = Counter(x[x > 1].tolist())
    assert set(middle) == {2, 3, 4} and min(middle.values()) > 400


def test_bags_count_as_collections_counter_does():
    x = torch.randint(0, 6, (9, 5), generator=seeded())
    bag = bag_of_symbols(x, 6)
    theirs = [[Counter(s)[v] for v in range(6)] for s in x.T.tolist()]
    assert_close(bag, torch.tensor(theirs))
    with pytest.raises(AssertionError):
        assert_close(bag, torch.tensor(theirs).flip(1))


@pytest.mark.parametrize("stay", [0, 1, -0.5, 1.5])
def test_stay_has_to_be_a_probability(stay):
    with pytest.raises(ValueError, match=f"stay is {stay}; need a probability"):
        bits(torch.tensor([0, 1]), stay)
    with pytest.raises(ValueError, match=f"stay is {stay}; need a probability"):
        sticky_coin(3, stay, seeded())


@pytest.mark.parametrize("shape", [(0,), (2, 3)])
def test_bits_needs_one_sequence(shape):
    with pytest.raises(ValueError, match=r"x has shape .*; need \(T,\), T >= 1"):
        bits(torch.zeros(shape), 0.5)


@pytest.mark.parametrize("sizes", [(0, 5, 4), (1, 1, 4), (1, 5, 2)])
def test_a_before_b_names_its_sizes(sizes):
    with pytest.raises(ValueError, match="need pairs >= 1, T >= 2, V >= 3"):
        a_before_b(*sizes, seeded())
