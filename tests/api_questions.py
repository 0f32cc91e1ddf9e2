"""Asks a server everything its OpenAPI document allows, and some of what it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from crucible_tasks.challenges import encode
from filled_questions import shop
from served import Served

PREFIX = "/api/v1"

DOCUMENT = f"{PREFIX}/openapi.json"

#: seconds until an answer counts as none
_PATIENCE = 20

#: characters of a problem that are told
_LONGEST = 1000

Found = TypeVar("Found")
Operation = APIOperation[Any, Any, Any, Any]
Question = Case[Any]

_CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

_STREAM = "text/event-stream"

#: of the server's own failure; 502, 503 and 507 say that something else is away, as documented
_SERVER_ERRORS = (500, 501, 504)


@dataclass(frozen=True, slots=True)
class Asked:
    """How one operation was asked and what it answered wrongly."""

    operation: str
    #: how often each status came
    statuses: dict[int, int]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What there is, by the beginning of the paths that ask for it: made-up names find nothing."""

    #: for the parameters in such a path, below the API
    names: Mapping[str, Sequence[str]]
    #: for what follows it
    queries: Mapping[str, Mapping[str, str]]


def ask(server: Served, examples: int) -> Iterator[Asked]:
    """Ask every operation of a server that works this many questions."""
    schema = schemathesis.openapi.from_url(server.url + DOCUMENT)
    known = _known(server)
    with requests.Session() as session:
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            asker = _Asker(operation, _questions(operation, known), server.url, session)
            yield asker.ask(examples)


@dataclass(frozen=True, slots=True)
class _Asker:
    operation: Operation
    questions: st.SearchStrategy[Question]
    url: str
    session: requests.Session
    statuses: Counter[int] = field(default_factory=Counter)
    #: in their order, each once
    problems: dict[str, None] = field(default_factory=dict)

    def ask(self, examples: int) -> Asked:
        settled = settings(
            max_examples=examples,
            database=None,
            derandomize=True,
            deadline=None,
            # what is wrong is told as it was found
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        settled(given(self.questions)(self._put))()
        return Asked(self.operation.label, dict(self.statuses), tuple(self.problems))

    def _put(self, case: Question) -> None:
        try:
            response = case.call(base_url=self.url, session=self.session, timeout=_PATIENCE)
            self.statuses[response.status_code] += 1
            checks = _CHECKS
            if response.headers.get("content-type", [""])[0].startswith(_STREAM):
                # a document of 3.1 says of a stream that it is text, and each event is checked
                checks = [one for one in _CHECKS if one is not response_schema_conformance]
            case.validate_response(response, checks=checks)
            if response.status_code in _SERVER_ERRORS:
                self._note(case, f"answered {response.status_code}")
        except FailureGroup as group:
            for failure in group.exceptions:
                self._note(case, failure.title)
        except requests.RequestException as error:
            self._note(case, type(error).__name__)

    def _note(self, case: Question, problem: str) -> None:
        self.problems[f"{problem}: {case.as_curl_command()}"[:_LONGEST]] = None


def _known(server: Served) -> Known:
    filled = server.filled
    artifact = server.services.runs.artifacts.put(encode(shop()))
    return Known(
        names={
            # what others set off again has no end of events
            "/runs/{run_id}/events": (filled.toy,),
            "/runs": tuple(one for one in filled.runs if one != filled.toy),
            "/sweeps": (filled.sweep, filled.router_sweep),
            "/selections": (filled.sweep, filled.large),
            "/fine-tunes/{fine_tune_id}/events": (filled.fine_tune,),
            "/fine-tunes": (filled.fine_tune, filled.fine_tune_running, filled.fine_tune_failed),
            "/artifacts": (artifact,),
        },
        queries={
            "/comparisons": {"a": filled.large, "b": filled.small},
            "/models/described": {"spec": "nano"},
        },
    )


def _questions(operation: Operation, known: Known) -> st.SearchStrategy[Question]:
    """What its document allows, aimed at what there is where it names something, and more."""
    path = operation.path.removeprefix(PREFIX)
    parameters = [one.name for one in operation.path_parameters]
    aimed = [
        operation.as_strategy(path_parameters=dict.fromkeys(parameters, name))
        for name in (_first(known.names, path, ()) if parameters else ())
    ]
    query = _first(known.queries, path, None)
    aimed += [] if query is None else [operation.as_strategy(query=dict(query))]
    allowed = st.one_of(operation.as_strategy(), *aimed)
    return st.one_of(allowed, allowed, _refused(operation))


def _first(known: Mapping[str, Found], path: str, default: Found) -> Found:
    return next((found for start, found in known.items() if path.startswith(start)), default)


def _refused(operation: Operation) -> st.SearchStrategy[Question]:
    """What its document does not allow; nothing where it allows everything."""
    has_rules = operation.body or any(operation.iter_parameters())
    mode = GenerationMode.NEGATIVE if has_rules else GenerationMode.POSITIVE
    return operation.as_strategy(generation_mode=mode)
