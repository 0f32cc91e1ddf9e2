"""What besides the models, or besides the one thing tried, tells two runs apart."""

from __future__ import annotations

from collections.abc import Iterator

from crucible_api.reports import RunSummary
from crucible_tasks.planning import RunState


def differences(summary_a: RunSummary, summary_b: RunSummary) -> Iterator[str]:
    """A sentence each, for whoever compares runs A and B."""
    a, b = summary_a.run, summary_b.run
    if a.id == b.id:
        yield f"A and B are both run {a.id}, so there is nothing to tell"
    if summary_a.isolation != summary_b.isolation:
        yield f"different isolation, {summary_a.isolation} and {summary_b.isolation}"
    for run in (a, b):
        if run.state is not RunState.FINISHED:
            yield f"run {run.id} is {run.state}; its challenges may lack verdicts"
    if a.dataset != b.dataset:
        yield f"different datasets, {a.dataset} and {b.dataset}: only shared ids are compared"
    if a.model != b.model and a.prompt != b.prompt and None not in (a.prompt, b.prompt):
        yield f"different models, and different prompts too: {a.prompt} and {b.prompt}"
    if a.grader != b.grader:
        yield f"different graders, {a.grader} and {b.grader}: crucible runs regrade"
