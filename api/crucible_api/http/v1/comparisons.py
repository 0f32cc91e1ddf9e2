"""Comparisons over HTTP: is run B better than run A?"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Query

from crucible_api.differences import differences
from crucible_api.http.forms import Compared
from crucible_api.http.paging import NameQuery
from crucible_api.http.routes import api_router
from crucible_api.http.services import Serving
from crucible_api.named_runs import find_pair, meant
from crucible_tasks.comparison import compare
from crucible_tasks.scores import score

router = api_router("comparisons", HTTPStatus.NOT_FOUND)


@router.get("")
def compare_runs(
    serving: Serving, a: NameQuery, b: NameQuery, k: Annotated[int, Query(ge=1, le=2**31 - 1)] = 1
) -> Compared:
    """Compare two runs challenge by challenge.

    `a` and `b` are runs as elsewhere; the name of a model, or of a router, is its newest run, and
    beside a router's run that of a member is this member's run of the same sweep.
    """
    runs = serving.runs
    id_a, id_b = find_pair(runs, meant(a), meant(b))
    counts_a, counts_b = runs.counts(id_a), runs.counts(id_b)
    found = compare(counts_a, counts_b, k)
    return Compared(
        id_a,
        id_b,
        score(counts_a, k),
        score(counts_b, k),
        found,
        found.sentence,
        tuple(differences(runs.summary(id_a), runs.summary(id_b))),
    )
