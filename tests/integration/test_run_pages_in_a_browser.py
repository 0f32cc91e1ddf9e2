"""The pages about runs in a real browser: they move, obey the keyboard, and run programs again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

import browser
from crucible_infra.database.runs import find_run
from crucible_infra.database.verdicts import VerdictRow, insert_verdicts
from served import Served

#: a busy machine's patience
PATIENCE_MS = 60_000


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with browser.opened(chromium) as empty:
        empty.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield empty


def test_a_run_moves_in_place_and_is_stopped_where_it_is_confirmed(
    page: Page, site: Served
) -> None:
    run_id = site.filled.running
    seen = browser.watch(page)
    page.goto(f"{site.url}/runs/{run_id}")
    judged = page.locator('[data-live="judged"]')
    forbidden = page.locator('[data-count="forbidden"]')
    before, with_forbidden = judged.inner_text(), forbidden.inner_text()
    where = judged.bounding_box()
    _judge_one_more(site, run_id)
    expect(judged).to_have_text(f"{int(before) + 1}")
    expect(forbidden).to_have_text(f"{int(with_forbidden) + 1}")
    assert judged.bounding_box() == where

    page.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep going").click()
    assert site.services.runs.progress(run_id).state == "running"
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(page.locator('[data-live="state"]')).to_have_text("stopped")
    expect(page.get_by_role("button", name="Resume")).to_be_enabled()
    assert site.services.runs.progress(run_id).state == "stopped"
    assert (seen.errors, seen.foreign) == ([], [])


def test_a_run_is_asked_for_where_no_events_come(page: Page, site: Served) -> None:
    run_id = site.filled.planned
    page.route("**/events", lambda route: route.fulfill(status=503))
    page.goto(f"{site.url}/runs/{run_id}")
    site.services.runs.pause(run_id)
    expect(page.locator('[data-live="state"]')).to_have_text("paused")
    site.services.runs.stop(run_id)
    expect(page.locator('[data-live="state"]')).to_have_text("stopped")


def test_a_page_says_that_the_server_is_away_and_goes_on_when_it_is_back(
    page: Page, site: Served
) -> None:
    page.goto(f"{site.url}/runs/{site.filled.large}")
    page.context.set_offline(True)
    page.get_by_role("button", name="Set").click()
    problem = page.locator("#problem")
    expect(problem).to_contain_text("does not answer")
    page.context.set_offline(False)
    expect(problem).to_be_hidden()


def test_the_list_of_runs_moves_while_it_is_looked_at(page: Page, site: Served) -> None:
    # whatever a test before has done to it
    site.services.runs.resume(site.filled.planned)
    page.goto(f"{site.url}/runs")
    page.evaluate("window.isTheSame = true")
    state = page.locator("tbody tr", has_text=site.filled.planned).locator(".state")
    expect(state).to_have_text("running")
    site.services.runs.pause(site.filled.planned)
    # the page asks every few seconds
    expect(state).to_have_text("paused", timeout=30_000)
    assert page.evaluate("window.isTheSame")
    site.services.runs.resume(site.filled.planned)


def test_a_problem_is_told_and_the_page_stays(page: Page, site: Served) -> None:
    page.goto(f"{site.url}/runs/{site.filled.gappy}")
    page.get_by_label("Priority").fill("7")
    page.get_by_role("button", name="Set").click()
    expect(page.get_by_label("Priority")).to_have_value("7")
    page.route("**/resume", lambda route: route.fulfill(status=503, body="{"))
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("alert")).to_contain_text("503")
    assert site.services.runs.find_run(site.filled.gappy).priority == 7


def test_the_grid_is_walked_by_keys_and_enter_opens_a_completion(page: Page, site: Served) -> None:
    page.goto(f"{site.url}/runs/{site.filled.large}/grid")
    page.locator("#cell").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp", "End", "ArrowLeft"):
        page.keyboard.press(key)
    # as far as it goes
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    at = page.locator("#at")
    expect(at).to_contain_text("shop/gross, sample 19: ")
    told = at.inner_text().partition(": ")[2]
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("shop/gross sample 19")
    expect(page.get_by_role("heading", name="Verdict")).to_contain_text(told)


def test_the_columns_of_the_grid_line_up(page: Page, site: Served) -> None:
    page.goto(f"{site.url}/runs/{site.filled.large}/grid")
    expect(page.locator("tbody .strip i").first).to_be_visible()
    widths = page.eval_on_selector_all(
        "tbody .strip", "(strips) => strips.map((one) => one.getBoundingClientRect().width)"
    )
    parts = page.evaluate("document.querySelectorAll('tbody .strip i').length")
    assert parts > len(widths)
    assert max(widths) - min(widths) < 1


def test_a_cell_of_the_grid_is_one_click_from_its_completion(page: Page, site: Served) -> None:
    page.goto(f"{site.url}/runs/{site.filled.large}/grid")
    strip = page.locator("tbody .strip").nth(3)
    box = strip.bounding_box()
    assert box is not None
    # 20 samples: the middle of the eighth
    page.mouse.move(box["x"] + box["width"] * 7.5 / 20, box["y"] + 8)
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_role("heading", level=1)).to_contain_text("sample 7")


def test_the_grid_without_scripts_leads_to_its_challenges(chromium: Browser, site: Served) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/runs/{site.filled.large}/grid")
    page.get_by_role("link", name="shop/pack").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("shop/pack")
    context.close()


def test_an_edited_program_is_run_again_without_leaving_the_page(page: Page, site: Served) -> None:
    seen = browser.watch(page)
    page.goto(f"{site.url}/runs/{site.filled.small}/completions?task_id=shop/vat")
    # a page that is loaded again forgets it
    page.evaluate("window.isTheSame = true")
    program = "def vat(net, rate=0.19):\n    return 41"
    page.get_by_label("Program", exact=True).and_(page.locator("textarea")).fill(program)
    page.get_by_role("button", name="Run again").click()
    result = page.locator("#again-result")
    expect(result).to_contain_text("failed")
    expect(result).to_contain_text("Actual41")
    expect(page.locator("textarea")).to_have_value(program)
    page.locator("textarea").fill(program.replace("41", "42 if net else 0"))
    page.get_by_role("button", name="Run again").click()
    expect(result).to_contain_text("passed")
    assert page.evaluate("window.isTheSame") is True
    assert seen.errors == []


def _judge_one_more(site: Served, run_id: str) -> None:
    """As a controller stores a verdict."""
    missing = next(
        row for row in site.services.runs.verdict_rows(run_id) if row.outcome == "missing"
    )
    with site.services.runs.database.writing() as connection:
        run = find_run(connection, run_id)
        assert run is not None
        found = VerdictRow(
            run_id,
            missing.task_id,
            missing.index,
            run.grader,
            run.grade_round,
            "forbidden",
            "bad system call",
            cpu_seconds=0.1,
            wall_seconds=0.1,
            mode="split",
            extraction="fence",
            program_digest=None,
        )
        insert_verdicts(connection, [found])
