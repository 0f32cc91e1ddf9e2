"""Drawing tokens: each option keeps the tokens it names, and chance falls by their shares."""

from __future__ import annotations

import numpy as np
import pytest

from crucible_tasks.sampling import Sampling
from crucible_workers.nano.drawing import drawn, penalised

#: shares 0.4, 0.1, 0.3 and 0.2
LOGITS = np.log(np.array([[0.4, 0.1, 0.3, 0.2]]))

PLAIN = Sampling(temperature=1.0, top_p=1.0)


def _shares(sampling: Sampling) -> list[float]:
    """How much of the chances from 0 to 1 falls to each token."""
    chances = [(place + 0.5) / 200 for place in range(200)]
    tokens = drawn(np.repeat(LOGITS, 200, axis=0), sampling, chances)
    return [round(float(np.mean(tokens == token)), 2) for token in range(4)]


@pytest.mark.parametrize(
    ("sampling", "shares"),
    [
        (PLAIN, [0.4, 0.1, 0.3, 0.2]),
        (Sampling(temperature=0.0), [1, 0, 0, 0]),
        (Sampling(temperature=1.0, top_p=1.0, top_k=2), [0.57, 0, 0.43, 0]),
        (Sampling(temperature=1.0, top_p=1.0, top_k=9), [0.4, 0.1, 0.3, 0.2]),
        (Sampling(temperature=1.0, top_p=0.65), [0.57, 0, 0.43, 0]),
        (Sampling(temperature=1.0, top_p=0.01), [1, 0, 0, 0]),
        (Sampling(temperature=1.0, top_p=1.0, min_p=0.6), [0.57, 0, 0.43, 0]),
        # the two likeliest make up all of what top_k leaves
        (Sampling(temperature=1.0, top_k=2, top_p=0.5), [1, 0, 0, 0]),
        (Sampling(temperature=0.5, top_p=1.0), [0.53, 0.03, 0.3, 0.13]),
    ],
)
def test_an_option_keeps_what_it_names(sampling: Sampling, shares: list[float]) -> None:
    assert _shares(sampling) == pytest.approx(shares, abs=0.011)


def test_the_largest_chance_still_falls_to_a_token_that_is_kept() -> None:
    sampling = Sampling(temperature=1.0, top_p=0.3)
    assert drawn(LOGITS, sampling, [np.nextafter(1.0, 0.0)]).tolist() == [0]
    assert drawn(LOGITS, PLAIN, [np.nextafter(1.0, 0.0)]).tolist() == [3]


def test_a_penalty_makes_what_was_said_less_likely_whatever_its_sign() -> None:
    logits = np.array([[2.0, -2.0, 1.0], [2.0, -2.0, 1.0]])
    found = penalised(logits, 2.0, [(0, 1, 1), (2,)])
    assert found.tolist() == [[1.0, -4.0, 1.0], [2.0, -2.0, 0.5]]
    assert logits[0, 0] == 2.0
