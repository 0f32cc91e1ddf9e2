"""The page with two runs' answers to one challenge beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from crucible_api.http.services import Serving
from crucible_api.one_completion import OneCompletion, one_completion
from crucible_api.page.rendering import render
from crucible_api.program_diff import LONGEST, diff

router = APIRouter(include_in_schema=False)

Index = Annotated[int, Query(ge=0, le=10**9)]


@dataclass(frozen=True, slots=True)
class Two:
    """Names a completion of each of two runs."""

    a: str
    b: str
    task_id: Annotated[str, Query(max_length=1000)]
    index: Index = 0
    #: None takes the same as of A
    index_b: Index | None = None


@router.get("/diff")
def diff_page(request: Request, serving: Serving, two: Annotated[Two, Depends()]) -> Response:
    """Show what two models did with one challenge, and how their programs differ."""
    runs = serving.runs
    run_a, run_b = runs.find_run(two.a), runs.find_run(two.b)
    of_a = one_completion(runs, run_a.id, two.task_id, two.index)
    wanted = two.index if two.index_b is None else two.index_b
    # a run with fewer samples has its last one
    of_b = one_completion(runs, run_b.id, two.task_id, min(wanted, run_b.n - 1))
    programs = (_program(of_a), _program(of_b))
    return render(
        request,
        "diff.html",
        a=of_a,
        b=of_b,
        programs=programs,
        pairs=None if None in programs else diff(programs[0] or "", programs[1] or ""),
        longest=LONGEST,
    )


def _program(found: OneCompletion) -> str | None:
    return None if found.extraction is None else found.extraction.program
