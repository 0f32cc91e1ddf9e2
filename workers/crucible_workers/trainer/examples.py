"""A corpus as token ids and labels: next-token, fill-in-the-middle, and answers to instructions.

What is random depends on the seed and the document alone, so a file gives the same examples in
whatever corpus it stands.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from crucible_infra.errors import InvalidInput
from crucible_tasks import fim
from crucible_tasks.corpus.corpus import Corpus, Document, Pair, Part
from crucible_tasks.fim import FIM_TOKENS
from crucible_tasks.recipe import Recipe
from crucible_workers.trainer.pieces import cut
from crucible_workers.trainer.tokenising import Tokens

#: a label that no loss looks at
IGNORED = -100

#: tokens a cut may add at its ends
_SLACK = 8


@dataclass(frozen=True, slots=True)
class Example:
    """One piece of a document."""

    ids: list[int]
    labels: list[int]
    #: of its document
    path: str = ""


@dataclass(slots=True)
class Examples:
    """What a corpus comes to."""

    train: list[Example]
    held_out: list[Example]
    #: tokens that fit no row
    lost: int = 0
    notes: list[str] = field(default_factory=list)


def build_examples(corpus: Corpus, tokens: Tokens, recipe: Recipe) -> Examples:
    """The examples of both parts.

    Raises InvalidInput for a corpus with nothing to learn from, for fill-in-the-middle that the
    model has no tokens for, and where rows are too short for more than `most_lost` of the tokens.
    """
    rate = fim.rate(recipe, tokens.fim)
    examples = Examples(
        [*_of_documents(_part(corpus.documents, Part.TRAIN), tokens, recipe, rate)],
        [*_of_documents(_part(corpus.documents, Part.HELD_OUT), tokens, recipe, 0.0)],
    )
    for pair in corpus.pairs:
        _add_pair(examples, pair, tokens, recipe)
    if not examples.train:
        raise InvalidInput("the corpus holds nothing to train on")
    _check_lost(examples, recipe)
    examples.notes += _notes(examples, tokens, rate)
    return examples


def _part(documents: Iterable[Document], part: Part) -> list[Document]:
    return [document for document in documents if document.part is part]


def _of_documents(
    documents: list[Document], tokens: Tokens, recipe: Recipe, rate: float
) -> Iterator[Example]:
    overhead = len(tokens.beginning) + 1 + (FIM_TOKENS + _SLACK if rate else 0)
    budget = max(1, recipe.sequence_tokens - overhead)
    for document in documents:
        pieces = cut(document.text, budget, tokens)
        for number, piece in enumerate(pieces):
            dice = random.Random(f"{recipe.seed}:{document.path}:{number}")
            filled = _filled(piece, tokens, recipe, dice) if dice.random() < rate else None
            if filled is not None:
                yield filled
            else:
                is_last = number == len(pieces) - 1
                yield replace(_plain(piece, tokens, is_last=is_last), path=document.path)


def _plain(piece: str, tokens: Tokens, *, is_last: bool) -> Example:
    # a file that goes on does not end here
    end = [tokens.end] if is_last and tokens.end is not None else []
    ids = [*tokens.beginning, *tokens.encode(piece), *end]
    return Example(ids, ids)


def _filled(piece: str, tokens: Tokens, recipe: Recipe, dice: random.Random) -> Example | None:
    """The piece with its middle at the end; None where the cuts made it too long for a row."""
    assert tokens.fim is not None
    hole = fim.dig(piece, dice, recipe.fim_blocks)
    turned = tokens.fim.knows_suffix_first and dice.random() < recipe.fim_suffix_first
    row = fim.build(hole, tokens.fim, tokens.encode, tokens.encode_inside, suffix_first=turned)
    ids = [*tokens.beginning, *row.ids]
    if len(ids) > recipe.sequence_tokens:
        return None
    if recipe.fim_loss == "all":
        return Example(ids, ids)
    start = len(tokens.beginning) + row.middle_start
    return Example(ids, [IGNORED] * start + ids[start:])


def _add_pair(examples: Examples, pair: Pair, tokens: Tokens, recipe: Recipe) -> None:
    question = tokens.ask(pair.instruction)
    end = [tokens.end] if tokens.end is not None else []
    answer = [*tokens.encode_inside(pair.answer), *end]
    if len(question) + len(answer) > recipe.sequence_tokens:
        # half an answer teaches to stop in the middle
        examples.lost += len(question) + len(answer)
        return
    example = Example([*question, *answer], [IGNORED] * len(question) + answer)
    # perplexity is about files, and means the same whether there are pairs or not
    if pair.part is Part.TRAIN:
        examples.train.append(example)


def _check_lost(examples: Examples, recipe: Recipe) -> None:
    kept = sum(len(example.ids) for example in examples.train)
    share = examples.lost / (kept + examples.lost)
    if share > recipe.most_lost:
        raise InvalidInput(
            f"{share:.0%} of the corpus' tokens fit no row of {recipe.sequence_tokens}",
            hint="raise sequence_tokens, or most_lost if that is as it should be",
        )


def _notes(examples: Examples, tokens: Tokens, rate: float) -> Iterator[str]:
    count = sum(len(example.ids) for example in examples.train)
    fim_tokens = tokens.fim
    yield f"{count:,} tokens to train on in {len(examples.train):,} pieces, {examples.lost:,} lost"
    if fim_tokens is None:
        yield "next-token only: this model's tokenizer has no tokens for fill-in-the-middle"
    elif rate:
        yield f"fill-in-the-middle for {rate:.0%} of the pieces, as {fim_tokens.family} write it"
    if not examples.held_out:
        yield "no file is held out: it cannot stop early, and cannot say what it gained"
