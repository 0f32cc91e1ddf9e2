"""Draws the next tokens from logits: every sampling option, in the order transformers has.

Penalty, temperature, top_k, top_p, min_p; then the token in whose share of the whole a number from
0 to 1 falls, in the order of the vocabulary. That number comes from the sample's own generator, one
for each token, so the same seed draws the same text on every device as far as its logits agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from crucible_tasks.sampling import Sampling

#: the likeliest tokens looked at first: sorting a vocabulary of 150,000 takes as long as a step
_LIKELY = 1024

#: how many more are looked at where those are not enough
_WIDER = 16


def drawn(logits: torch.Tensor, sampling: Sampling, chances: Sequence[float]) -> torch.Tensor:
    """One token for each row of logits, on the CPU."""
    if sampling.temperature == 0:
        return logits.argmax(-1).cpu()
    scaled = logits.float() / sampling.temperature
    chance = torch.tensor(chances, dtype=torch.float64)[:, None]
    if sampling.top_p >= 1 and sampling.min_p <= 0 and not sampling.top_k:
        shares = torch.softmax(scaled.cpu().double(), -1)
        return _at(shares, chance)
    vocabulary = scaled.shape[-1]
    width = min(vocabulary, sampling.top_k or _LIKELY)
    while True:
        shares, tokens, is_certain = _kept(scaled, sampling, width)
        if is_certain or width == vocabulary:
            break
        width = min(vocabulary, width * _WIDER)
    tokens, order = tokens.sort(-1)
    return tokens.gather(-1, _at(shares.gather(-1, order), chance)[:, None])[:, 0]


def penalise(logits: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    """Make tokens that occurred already less likely; `seen` has a truth for each logit."""
    lowered = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, lowered, logits)


def _kept(
    scaled: torch.Tensor, sampling: Sampling, width: int
) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """Shares of the likeliest tokens, 0 where cut; and whether none beyond would be kept."""
    likely, tokens = scaled.topk(width, -1)
    # the sum over what is not cut yet: all of it, or what top_k leaves
    whole = torch.logsumexp(likely if sampling.top_k else scaled, -1, keepdim=True)
    shares = (likely.double() - whole.double()).exp().cpu()
    # a token is kept while those before it do not make up top_p; the first always is
    is_kept = shares.cumsum(-1) - shares < sampling.top_p
    if sampling.min_p > 0:
        is_kept &= shares >= sampling.min_p * shares[:, :1]
    is_kept[:, 0] = True
    is_certain = bool(sampling.top_k) or not bool(is_kept[:, -1].any())
    return torch.where(is_kept, shares, 0.0), tokens.cpu(), is_certain


def _at(shares: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
    sums = shares.cumsum(-1)
    places = (sums <= chance * sums[:, -1:]).sum(-1)
    # a chance just below 1 may be rounded up to all of it
    last = shares.shape[-1] - 1 - (shares.flip(-1) > 0).int().argmax(-1)
    return torch.minimum(places, last)
