"""The page of one completion: what was asked, answered, judged and found; and to try it again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Body, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from crucible_api.grid import LETTERS
from crucible_api.http.services import Serving
from crucible_api.one_completion import OneCompletion, one_completion, raw_text
from crucible_api.page.rendering import render
from crucible_api.page.visible import shown
from crucible_api.rerun import LONGEST, Rerun, judge_again
from crucible_infra.errors import CrucibleError, InvalidInput

router = APIRouter(include_in_schema=False)

#: letters to either side of this completion's
_NEIGHBOURS = 60

_FIELDS = 4


@dataclass(frozen=True, slots=True)
class Which:
    """Names a completion of a run."""

    task_id: Annotated[str, Query(max_length=1000)]
    index: Annotated[int, Query(ge=0, le=10**9)] = 0


@router.get("/runs/{run_id}/completions")
def completion_page(
    request: Request, serving: Serving, run_id: str, which: Annotated[Which, Depends()]
) -> Response:
    """Show one completion."""
    run = serving.runs.find_run(run_id)
    if run.id != run_id:
        return RedirectResponse(f"/runs/{run.id}/completions?{request.url.query}")
    return _page(request, one_completion(serving.runs, run_id, which.task_id, which.index))


@router.post("/runs/{run_id}/completions")
def run_again(
    request: Request,
    serving: Serving,
    run_id: str,
    which: Annotated[Which, Depends()],
    body: Annotated[bytes, Body(media_type="application/x-www-form-urlencoded")],
) -> Response:
    """Judge an edited program, and show the same page with what was found."""
    found = one_completion(serving.runs, run_id, which.task_id, which.index)
    program = _program(body)
    try:
        rerun = judge_again(serving.runs, run_id, which.task_id, program)
    except CrucibleError as error:
        # the page keeps what was typed
        return _page(request, found, program, error=error)
    return _page(request, found, program, rerun)


@router.get("/runs/{run_id}/completions/text")
def download(serving: Serving, run_id: str, which: Annotated[Which, Depends()]) -> Response:
    """Give the whole raw text as a file, which no browser shows."""
    text = raw_text(serving.runs, run_id, which.task_id, which.index)
    name = re.sub(r"[^A-Za-z0-9.-]", "_", f"{run_id}-{which.task_id[:100]}-{which.index}.txt")
    return Response(
        text.encode("utf-8", "surrogatepass"),
        media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _program(body: bytes) -> str:
    if len(body) > 3 * LONGEST + 100:
        raise InvalidInput(f"a program has at most {LONGEST // 1024} KiB here")
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise InvalidInput("the form is not one of this page") from error
    # a form's lines end as on Windows
    return fields.get("program", [""])[0].replace("\r\n", "\n")


def _editable(program: str | None) -> str:
    """What the field begins with: nothing where the program could not be sent back."""
    return "" if program is None or len(program) > LONGEST else program


def _page(
    request: Request,
    found: OneCompletion,
    program: str | None = None,
    rerun: Rerun | None = None,
    error: CrucibleError | None = None,
) -> Response:
    extraction = found.extraction
    judged = None if extraction is None else extraction.program
    first = max(0, found.index - _NEIGHBOURS)
    return render(
        request,
        "completion.html",
        200 if error is None else 422 if isinstance(error, InvalidInput) else 503,
        found=found,
        run=found.run,
        challenge=found.challenge,
        prompt=[(said.role, shown(said.text)) for said in found.prompt],
        raw=None if found.completion is None else shown(found.completion.text),
        program=None if judged is None else shown(judged),
        edited=_editable(judged) if program is None else program,
        rerun=rerun,
        error=error,
        letters=list(enumerate(found.letters))[first : found.index + _NEIGHBOURS + 1],
        names={letter: str(one) for one, letter in LETTERS.items()},
    )
