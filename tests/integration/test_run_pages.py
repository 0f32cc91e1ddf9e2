"""The pages about runs, as a real server answers them over a filled SQLite database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest
import sqlalchemy

from crucible_infra.database.runs import challenges_of, update_run
from crucible_infra.database.tables import completions
from served import Served

#: of a busy machine, whose sandbox opens slowly
PATIENCE_SECONDS = 60.0

#: of a challenge whose id needs escaping in HTML and in URLs
ODD = "naïve & <odd>"

#: of the grid: where it leads, and its letters
ROW = re.compile(r'<tr><th scope="row"><a href="([^"]*)">.*<code class="strip">([^<]+)<')

HOSTILE = "```python\n</code><script>window.ran=1</script>\u202e\x00\ud800\n```"


@pytest.fixture(scope="module")
def client(site: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, timeout=PATIENCE_SECONDS) as opened:
        yield opened


def _page(client: httpx.Client, path: str, status: int = 200, **values: object) -> str:
    # none at all would take away those that are in the path
    params = {name: str(value) for name, value in values.items()} or None
    answer = client.get(path, params=params)
    assert answer.status_code == status, answer.text
    return answer.text


def _words(page: str) -> str:
    """What a person reads."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def _odd_task(site: Served) -> str:
    with site.services.runs.database.reading() as connection:
        rows = challenges_of(connection, site.filled.large)
    return next(row.task_id for row in rows if ODD in row.task_id)


def test_the_leaderboard_shows_each_number_with_its_interval_and_ties_as_ties(
    client: httpx.Client, site: Served
) -> None:
    page = _page(client, "/", dataset="starter", k=1)
    ranked = page[: page.index("Not ranked")]
    assert re.search(r"\d+\.\d % \[\d+\.\d, \d+\.\d\]", _words(ranked))
    assert "shared" in ranked
    assert f"/runs/{site.filled.toy}" not in ranked
    assert f"/runs/{site.filled.toy}" in page
    assert "no run on nowhere has a score" in _page(client, "/", 422, dataset="nowhere")


def test_the_list_keeps_what_was_asked_for_when_older_runs_are_shown(
    client: httpx.Client, site: Served
) -> None:
    page = _page(client, "/runs", model="shop-first")
    assert f"/runs/{site.filled.registered}" in page
    assert f"/runs/{site.filled.large}" not in page
    assert "No run is like that" in _page(client, "/runs", model="<none>")
    assert _page(client, "/runs", 422, state="asleep")
    assert _page(client, "/runs", 422, after="nonsense")


def test_a_run_tells_its_scores_its_validity_and_what_failed(
    client: httpx.Client, site: Served
) -> None:
    words = _words(_page(client, f"/runs/{site.filled.gappy}"))
    assert "completions judged" in words
    assert "failed a harmless program" in words
    assert "Given up" in words
    router = _words(_page(client, f"/runs/{site.filled.router}"))
    assert "Who answered" in router
    assert "fast" in router
    assert "Its process has ended" in _page(client, f"/runs/{site.filled.interrupted}")
    registered = _words(_page(client, f"/runs/{site.filled.registered}"))
    assert "Its corpus shares" in registered


def test_a_part_of_an_id_leads_to_the_run(client: httpx.Client, site: Served) -> None:
    answer = client.get(f"/runs/{site.filled.large[-4:]}")
    assert answer.headers["location"] == f"/runs/{site.filled.large}"
    assert _page(client, "/runs/nobody", 404)


@pytest.mark.parametrize("rest", ["grid?sort=rate", "completions?task_id=a%2Fb&index=1"])
def test_a_part_of_an_id_leads_to_what_is_in_the_run(
    client: httpx.Client, site: Served, rest: str
) -> None:
    answer = client.get(f"/runs/{site.filled.large[-4:]}/{rest}")
    assert answer.headers["location"] == f"/runs/{site.filled.large}/{rest}"


def test_a_page_that_is_not_there_says_so_in_plain_words(client: httpx.Client) -> None:
    assert "nothing has this address" in _page(client, "/nonsense", 404)
    assert "Fine-tune not found" in _page(client, "/fine-tunes/nobody", 404)
    refused = _words(_page(client, "/runs/latest/completions", 422, task_id="a", index=-1))
    assert "query" not in refused


@pytest.mark.parametrize("name", ["large", "running", "planned", "gappy", "toy", "router"])
def test_every_cell_of_the_grid_leads_to_its_completion(
    client: httpx.Client, site: Served, name: str
) -> None:
    run_id = getattr(site.filled, name)
    page = _page(client, f"/runs/{run_id}/grid", sort="rate")
    row = ROW.findall(page)[0]
    last = len(row[1]) - 1
    assert f"sample {last}" in _words(_page(client, f"{unescape(row[0])}&index={last}"))
    assert _page(client, f"{unescape(row[0])}&index={last + 1}", 404)


def test_the_grid_shows_only_challenges_with_an_outcome(client: httpx.Client, site: Served) -> None:
    path = f"/runs/{site.filled.large}/grid"
    some = _page(client, path, outcome="timed_out").count("<tr>")
    assert 1 < some < _page(client, path).count("<tr>")
    assert "No challenge has" in _page(client, path, outcome="infra_error")
    assert _page(client, path, 422, outcome="lucky")


def test_a_completion_shows_what_failed_taken_apart(client: httpx.Client, site: Served) -> None:
    grid = _page(client, f"/runs/{site.filled.small}/grid", outcome="failed")
    link, letters = ROW.findall(grid)[0]
    page = _page(client, f"{unescape(link)}&index={letters.index('F')}")
    words = _words(page)
    assert re.search(r"Assertion .* Expected .* Actual", words)
    for name in ("CPU time", "Mode split", "Isolation namespaces", "Seed", "Tokens"):
        assert name in words


def test_hostile_text_is_text_and_what_it_hides_is_marked(
    client: httpx.Client, site: Served
) -> None:
    task = _odd_task(site)
    _store(site, task, 0, HOSTILE)
    path = f"/runs/{site.filled.large}/completions"
    page = _page(client, path, task_id=task, index=0)
    assert "<script>window" not in page
    assert "&lt;script&gt;window.ran=1&lt;/script&gt;⟦U+202E⟧⟦U+0000⟧⟦U+D800⟧" in page
    assert "<odd>" not in page
    text = client.get(f"{path}/text", params={"task_id": task, "index": "0"})
    assert text.content.decode("utf-8", "surrogatepass") == HOSTILE
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.headers["x-content-type-options"] == "nosniff"
    assert text.headers["content-disposition"].startswith("attachment; filename=")


def test_a_huge_text_is_shown_in_part_and_given_as_a_file(
    client: httpx.Client, site: Served
) -> None:
    task = _odd_task(site)
    _store(site, task, 1, "<" * 10_000_000)
    path = f"/runs/{site.filled.large}/completions"
    page = _page(client, path, task_id=task, index=1)
    assert len(page) < 500_000
    assert "the whole has 10,000,000 characters" in page
    whole = client.get(f"{path}/text", params={"task_id": task, "index": "1"})
    assert len(whole.content) == 10_000_000


def test_two_runs_are_shown_beside_each_other(client: httpx.Client, site: Served) -> None:
    filled = site.filled
    task = _odd_task(site)
    found = {"a": filled.large, "b": filled.small, "task_id": task, "index": 2, "index_b": 5}
    page = _page(client, "/diff", **found)
    assert "<odd>" not in page
    assert "sample 2" in page
    assert "sample 5" in page
    same = _page(client, "/diff", a=filled.large, b=filled.large, task_id=task, index=2)
    assert "Both programs are the same" in same
    assert _page(client, "/diff", 404, a=filled.large, b=filled.toy, task_id=task)


def test_a_program_is_run_again_in_the_sandbox_and_enters_no_score(
    client: httpx.Client, site: Served
) -> None:
    runs, run_id = site.services.runs, site.filled.small
    before = runs.verdict_rows(run_id)
    task = before[0].task_id
    path = f"/runs/{run_id}/completions"
    tried = {
        "def vat(net, rate=0.19):\r\n    return 42 if net else 0": "passed",
        "def vat(net, rate=0.19):\r\n    return '<b>'": "failed",
        "def vat(net": "syntax error",
    }
    for program, outcome in tried.items():
        answer = client.post(path, params={"task_id": task}, data={"program": program})
        assert answer.status_code == 200
        result = answer.text[answer.text.index('id="again-result"') :]
        assert outcome in _words(result)
        assert "<b>" not in result
    assert runs.verdict_rows(run_id) == before


def test_what_cannot_be_run_again_is_told_and_what_was_typed_stays(
    client: httpx.Client, site: Served
) -> None:
    path = f"/runs/{site.filled.small}/completions"
    task = site.services.runs.verdict_rows(site.filled.small)[0].task_id
    long = client.post(path, params={"task_id": task}, data={"program": "x" * 300_000})
    assert long.status_code == 422
    assert "at most 256 KiB" in long.text
    assert "x" * 1000 in long.text
    binary = client.post(path, params={"task_id": task}, content=b"program=\xff\xfe")
    assert binary.status_code == 422
    elsewhere = client.post(
        path, params={"task_id": task}, data={"program": ""}, headers={"origin": "http://evil"}
    )
    assert elsewhere.status_code == 403


def test_a_run_of_a_samples_file_without_answers_is_shown(
    client: httpx.Client, site: Served, tmp_path: Path
) -> None:
    with site.services.runs.database.writing() as connection:
        update_run(connection, site.filled.single, source=f"{tmp_path}/<i>\u202e.jsonl")
    for path in ("/runs", f"/runs/{site.filled.single}", f"/runs/{site.filled.single}/grid"):
        page = _page(client, path)
        assert "&lt;i&gt;⟦U+202E⟧" in page
        assert "<i>" not in page


def _store(site: Served, task_id: str, index: int, text: str) -> None:
    where = (
        (completions.c.run_id == site.filled.large)
        & (completions.c.task_id == task_id)
        & (completions.c.index == index)
    )
    with site.services.runs.database.writing() as connection:
        connection.execute(sqlalchemy.update(completions).where(where).values(text=text))
