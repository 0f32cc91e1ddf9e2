"""How much of a dataset stands in a corpus: what the score of an adapter must be read beside.

A corpus holds nothing of the benchmarks it was built against. Of one that came later, or that was
not on the host then, it may.
"""

from __future__ import annotations

from dataclasses import dataclass

from crucible_tasks.challenge import RepositoryTests
from crucible_tasks.challenges.dataset import Dataset
from crucible_tasks.corpus.corpus import Corpus, Part
from crucible_tasks.corpus.report import Rule
from crucible_tasks.corpus.screen import Screen


@dataclass(frozen=True, slots=True)
class Overlapping:
    """A challenge that stands in an example."""

    task_id: str
    path: str
    #: of the example's text, from 1
    first_line: int
    last_line: int
    rule: Rule
    part: Part


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a corpus and a dataset have in common."""

    dataset: str
    digest: str
    challenges: int
    found: tuple[Overlapping, ...]

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The challenges that stand in the part a model is trained on."""
        ids = (item.task_id for item in self.found if item.part is Part.TRAIN)
        return tuple(dict.fromkeys(ids))

    @property
    def share(self) -> float:
        """Of the dataset's challenges, how many a model was trained on; 0 to 1."""
        return len(self.trained_on) / self.challenges if self.challenges else 0.0


def overlap(corpus: Corpus, dataset: Dataset) -> Overlap:
    """Look for every challenge in every example."""
    # of a tree's own methods, the class around them may be trained on
    screen = Screen([], dataset) if _is_of_a_tree(dataset) else Screen([dataset])
    found = [
        Overlapping(
            match.task_id,
            document.path,
            match.first_line,
            match.last_line,
            match.rule,
            document.part,
        )
        for document in corpus.documents
        for match in screen.matches(document.text, document.language)
    ]
    for pair in corpus.pairs:
        # a pair is prose and code: only its words can be compared
        text = f"{pair.instruction}\n{pair.answer}"
        found += [
            Overlapping(m.task_id, pair.path, m.first_line, m.last_line, m.rule, pair.part)
            for m in screen.matches(text, "")
        ]
    return Overlap(dataset.name, dataset.digest, len(dataset.challenges), tuple(found))


def _is_of_a_tree(dataset: Dataset) -> bool:
    return any(isinstance(one.tests, RepositoryTests) for one in dataset.challenges)
