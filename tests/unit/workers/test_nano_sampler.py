"""Sampling in batches: a seed means one text, whatever is sampled beside it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from crucible_tasks.sampling import Sampling
from crucible_workers import nano
from crucible_workers.nano.llama import read_llama
from crucible_workers.nano.sampler import LARGEST_BATCH, Sampler

SAMPLER = nano.load()
HOT = Sampling(temperature=1.3, top_p=0.98)
LIMIT = 24

PROMPTS = tuple(
    tuple(SAMPLER.tokenizer.encode(text))
    for text in (
        'def total(nums):\n    """Return the sum of the even numbers in nums."""\n',
        'def f(s):\n    """Reverse s."""\n',
        "x = 1\n",
    )
)


def _texts(sampler: Sampler, prompt: int, *seeds: int) -> list[tuple[int, ...]]:
    found = sampler.sample(PROMPTS[prompt], HOT, seeds, LIMIT)
    return [tuple(text.tokens) for text in found]


def test_a_sample_is_the_same_alone_and_in_a_batch_of_any_size() -> None:
    seeds = tuple(range(LARGEST_BATCH + 3))
    together = _texts(SAMPLER, 0, *seeds)
    assert len(set(together)) > 10
    for seed in (0, 7, LARGEST_BATCH + 2):
        assert _texts(SAMPLER, 0, seed) == [together[seed]]
    assert _texts(SAMPLER, 0, 9, 2, 5) == [together[9], together[2], together[5]]


def test_a_sample_is_the_same_beside_those_of_other_prompts_and_threads() -> None:
    alone = [_texts(SAMPLER, prompt, *range(4)) for prompt in range(3)]
    wanted = [number % 3 for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda prompt: _texts(SAMPLER, prompt, *range(4)), wanted))
    assert found == [alone[prompt] for prompt in wanted]


def test_every_request_has_its_own_options_in_one_batch() -> None:
    greedy = replace(HOT, temperature=0.0)
    with ThreadPoolExecutor(2) as pool:
        hot = pool.submit(_texts, SAMPLER, 0, *range(8))
        cold = pool.submit(SAMPLER.sample, PROMPTS[0], greedy, range(8), LIMIT)
    assert len({tuple(text.tokens) for text in cold.result()}) == 1
    assert len(set(hot.result())) > 1


def test_a_text_ends_at_its_limit_and_where_the_context_ends() -> None:
    # so hot that every token is as likely as the one that would end it
    blind = Sampling(temperature=1000.0, top_p=1.0)
    model = read_llama(nano.weights_directory())
    model.shape = replace(model.shape, context=len(PROMPTS[0]) + 5)
    short = Sampler(model, SAMPLER.tokenizer)
    for sampler, tokens in ((SAMPLER, LIMIT), (short, 5)):
        texts = sampler.sample(PROMPTS[0], blind, range(4), LIMIT)
        assert [(len(text.tokens), text.is_cut) for text in texts] == [(tokens, True)] * 4
