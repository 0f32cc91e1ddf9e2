"""Comparisons, sweeps, fine-tunes and workers as pages, and reports as files, in a real browser."""

from __future__ import annotations

import math
import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

import browser
from crucible_api.compared import compared
from crucible_api.markdown_report import report_markdown
from crucible_api.page.plots.heat_maps import heat_maps
from crucible_api.page.report_page import report_html
from crucible_api.quality_cost import cost_points
from crucible_api.run_report import RunReport, run_report
from crucible_api.stored_runs import StoredRuns
from crucible_api.sweeps import sweep_summary
from crucible_infra.database.fine_tunes import store_steps
from served import Served

#: fields of `Filled` in braces, and what must stand there
PAGES = {
    "/compare?a={small}&b={large}": "p-value",
    "/compare?a={planned}&b={large}&k=7": "Cannot tell: of the first run",
    "/costs": "Pareto line",
    "/sweeps": "6 finished",
    "/sweeps/{sweep}?k=10": "Cannot be told from it|a tie of|Best settings",
    "/sweeps/{router_sweep}": "fast|hybrid",
    "/fine-tunes": "CUDA|shop-third",
    "/fine-tunes/{fine_tune}": "Better on this codebase[?] Yes",
    "/fine-tunes/{fine_tune_failed}": "CUDA out of memory",
    "/workers": "does the work itself",
}

#: scrolls through a page, until every figure is drawn
_DRAW_ALL = """async () => {
    for (const one of document.querySelectorAll("[data-figure]")) {
        one.scrollIntoView();
        while (!("drawn" in one.dataset)) await new Promise((done) => setTimeout(done, 20));
    }
    return document.querySelectorAll("[data-figure] svg.main-svg").length;
}"""

HOSTILE = (
    "</script><img src=x onerror=alert(1)> | `` @everyone [x](javascript:alert(1)) \u202e\x00 ${x}"
)


def _url(server: Served, path: str) -> str:
    return server.url + path.format_map(
        {name: getattr(server.filled, name) for name in server.filled.__slots__}
    )


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_what_it_is_for_and_hinders_nobody(
    chromium: Browser, server: Served, path: str
) -> None:
    with browser.opened(chromium, 375, is_dark=True) as page:
        seen = browser.watch(page)
        page.goto(_url(server, path))
        page.evaluate(_DRAW_ALL)

        assert re.search(PAGES[path], page.inner_text("main"))
        assert (seen.errors, seen.foreign) == ([], [])
        assert browser.wider_than_the_screen(page) == []
        assert browser.serious_findings(page) == []


def test_plotly_is_asked_for_only_where_a_figure_is_and_may_be_kept(server: Served) -> None:
    without, with_figures = (
        httpx.get(_url(server, path)).text for path in ("/sweeps", "/sweeps/{sweep}")
    )
    script = httpx.get(f"{server.url}/static/plotly.min.js")
    plain = httpx.get(f"{server.url}/static/plotly.min.js", headers={"Accept-Encoding": "identity"})

    assert "figure.js" not in without
    assert 'data-plotly="/static/plotly.min.js?v=' in with_figures
    assert "<style" not in with_figures
    assert script.headers["content-encoding"] == "gzip"
    assert "immutable" in script.headers["cache-control"]
    assert script.content == plain.content
    assert (
        "unsafe"
        not in httpx.get(_url(server, "/sweeps/{sweep}")).headers["content-security-policy"]
    )


def test_a_heat_map_shows_the_scores_of_the_sweep(server: Served) -> None:
    summary = sweep_summary(server.services.runs, server.filled.sweep)
    (figure,) = heat_maps(summary.runs, 10)
    (trace,) = figure.data

    shown = {
        (model, temperature): trace["z"][row][column]
        for row, temperature in enumerate(trace["y"])
        for column, model in enumerate(trace["x"])
    }
    assert len(shown) == len(summary.runs) == 6
    for one in summary.runs:
        score = next(score for score in one.scores if score.k == 10)
        setting = (one.run.model, f"{one.run.temperature:g}")
        assert shown[setting] == pytest.approx(100 * score.value, abs=1e-3)


def test_a_sweep_without_a_score_has_no_heat_map(server: Served) -> None:
    summary = sweep_summary(server.services.runs, server.filled.sweep)
    unknown = [
        replace(run, scores=tuple(replace(one, value=math.nan) for one in run.scores))
        for run in summary.runs
    ]
    assert heat_maps(unknown, 10) == ()
    assert len(heat_maps([*unknown[1:], summary.runs[0]], 10)) == 1


def test_a_cost_is_the_mean_over_the_stored_completions(server: Served) -> None:
    runs = server.services.runs
    (point,) = cost_points(runs, [runs.find_run(server.filled.large)], 1)
    file = server.services.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(file) as connection:
        mean = connection.execute(
            "select avg(completion_tokens), avg(seconds), avg(joules) from completions"
            " where run_id = ?",
            [server.filled.large],
        ).fetchone()
    connection.close()

    assert (point.tokens, point.seconds, point.joules) == pytest.approx(mean, rel=1e-3)


def test_the_bar_and_the_lists_of_a_comparison_are_what_it_found(server: Served) -> None:
    found = compared(server.services.runs, server.filled.small, server.filled.large, 1).found
    page = httpx.get(_url(server, "/compare?a={small}&b={large}")).text

    assert f"{100 * found.effect:+.1f} points" in page
    assert page.count('href="/diff?') == found.challenges
    assert f"B did better: {len(found.wins)}<" in page


def test_a_training_draws_on_while_it_is_watched_and_nothing_moves(
    chromium: Browser, server: Served
) -> None:
    fine_tunes, fine_tune_id = server.services.fine_tunes, server.filled.fine_tune_running
    with browser.opened(chromium) as page:
        page.goto(f"{server.url}/fine-tunes/{fine_tune_id}")
        page.evaluate(_DRAW_ALL)
        before = _heights(page)
        last = fine_tunes.steps(fine_tune_id)[-1]
        with fine_tunes.database.writing() as connection:
            store_steps(connection, [replace(last, step=last.step + 1, loss=0.1234)])
        page.get_by_text("loss 0.1234").first.wait_for()

        assert page.evaluate("document.getElementById('loss-plot').data[0].y.at(-1)") == 0.1234
        assert _heights(page) == before


def test_a_training_is_stopped_by_its_button(chromium: Browser, server: Served) -> None:
    fine_tune_id = server.filled.fine_tune_running
    with browser.opened(chromium) as page:
        page.goto(f"{server.url}/fine-tunes/{fine_tune_id}")
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Resume").wait_for()
    assert server.services.fine_tunes.info(fine_tune_id).state == "stopped"


def test_a_report_opens_from_a_disk_and_asks_for_nothing(
    chromium: Browser, server: Served, tmp_path: Path
) -> None:
    report = _report(server, server.filled.sweep)
    file = tmp_path / "report.html"
    file.write_text(report_html(report, has_plots=True))
    with browser.opened(chromium) as page:
        seen, requests = browser.watch(page), []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())

        assert page.evaluate(_DRAW_ALL) > 4
        assert (seen.errors, requests) == ([], [file.as_uri()])
        assert browser.serious_findings(page) == []


def test_a_report_of_hostile_names_runs_none_of_them(
    chromium: Browser, server: Served, tmp_path: Path
) -> None:
    report = _named(_report(server, server.filled.small, server.filled.large), HOSTILE)
    file = tmp_path / "report.html"
    file.write_text(report_html(report, has_plots=True))
    with browser.opened(chromium) as page:
        seen = browser.watch(page)
        page.goto(file.as_uri())
        page.evaluate(_DRAW_ALL)

        assert seen.errors == []
        assert page.locator("img").count() == 0
        assert "<img src=x onerror=alert(1)>" in page.inner_text("main")


def test_a_report_is_the_same_bytes_whenever_it_is_made(server: Served) -> None:
    first, second = (
        report_html(_report(server, server.filled.sweep), has_plots=False) for _ in range(2)
    )
    assert first == second
    assert len(first) < 100_000
    assert "<script" not in first


def test_a_report_on_a_run_under_way_says_so(server: Served) -> None:
    report = _report(server, server.filled.running, server.filled.gappy)
    text = report_html(report, has_plots=False)
    assert f"Run {server.filled.running} is running: what is told is of what there is." in text
    assert f"Run {server.filled.gappy} is incomplete" in text


def test_a_report_and_the_pages_tell_an_energy_where_it_is_known(server: Served) -> None:
    filled = server.filled
    report = _report(server, filled.large, filled.running)
    first, second = report.runs
    assert re.fullmatch(r"4\d\d\.\d J of GPU energy per answer", first.energy or "")
    assert second.energy is None
    for text in (report_html(report, has_plots=False), report_markdown(report)):
        assert text.count("of GPU energy per answer") == 1
        assert f"; {first.energy}" in text
    task_id = report.challenges[0][0]
    for name, is_known in ((filled.large, True), (filled.running, False)):
        path = f"{server.url}/runs/{name}"
        assert ("<dt>Energy</dt>" in httpx.get(path).text) is is_known
        completion = httpx.get(f"{path}/completions", params={"task_id": task_id}).text
        assert ("J, its share of what the GPUs took" in completion) is is_known
    assert "GPU energy per answer (J)" in httpx.get(f"{server.url}/costs?dataset=shop").text
    router = httpx.get(f"{server.url}/runs/{filled.router}").text
    assert re.search(r">Energy</th>.*?\d J</td>", router, re.DOTALL)


def _report(server: Served, *names: str) -> RunReport:
    stored = server.services.runs
    runs = StoredRuns(stored.database, stored.artifacts)
    return run_report(runs, [runs.select(one) for one in names])


def _named(report: RunReport, name: str) -> RunReport:
    """The same, as if its models were called so."""
    runs = tuple(
        replace(
            one,
            label=f"{name} {place}",
            summary=replace(one.summary, run=replace(one.summary.run, model=name)),
        )
        for place, one in enumerate(report.runs)
    )
    return replace(report, runs=runs)


def _heights(page: Page) -> list[float]:
    heights: list[float] = page.evaluate(
        "[...document.querySelectorAll('.plot')].map((one) => one.getBoundingClientRect().height)"
    )
    return heights
