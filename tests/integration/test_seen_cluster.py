"""What people see of a real cluster: Flower, metrics, dashboard, alerts, logs; and no secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import sqlalchemy
import yaml
from prometheus_client import Metric

import services
from conftest import REPOSITORY
from crucible_infra import host_figures
from scripted_gpus import Board, ScriptedGpus
from watched_cluster import (
    API_KEY,
    ASKED,
    BROKER_PASSWORD,
    DATABASE_PASSWORD,
    QUEUES,
    Seen,
    watch,
)

INFRA = REPOSITORY / "infra"

#: bounded by the cluster, not by its use
LABELS = {"contract", "gpu", "le", "model", "outcome", "queue", "reason", "source", "state", "uuid"}

#: Prometheus' base units, and what is counted
ENDINGS = ("_seconds", "_bytes", "_ratio", "_watts", "_joules", "_info")


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Seen]:
    postgres_url = request.getfixturevalue("postgres_url")
    request.getfixturevalue("redis_url")
    database = sqlalchemy.make_url(postgres_url).set(database="seen", password=DATABASE_PASSWORD)
    admin = sqlalchemy.create_engine(
        postgres_url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
    )
    with admin.connect() as connection:
        connection.execute(sqlalchemy.text("CREATE DATABASE seen"))
    with services.redis_server(tmp_path_factory.mktemp("redis")) as server:
        url = database.render_as_string(hide_password=False)
        yield watch(tmp_path_factory.mktemp("home"), server, url)
    with admin.connect() as connection:
        connection.execute(sqlalchemy.text("DROP DATABASE seen WITH (FORCE)"))


def test_flower_shows_every_task_by_name_with_readable_arguments(seen: Seen) -> None:
    shown = {name: [] for name in ("crucible.generate", "crucible.evaluate")}
    for task in seen.tasks.values():
        shown.setdefault(task["name"], []).append(task["args"])

    assert len(shown["crucible.generate"]) == ASKED
    assert len(shown["crucible.evaluate"]) == ASKED - 1
    for arguments in (*shown["crucible.generate"], *shown["crucible.evaluate"]):
        assert f"run_id={seen.run_id}" in arguments
        assert "task_id=HumanEval/" in arguments
        assert len(arguments) < 400
    assert all("#coder" in arguments for arguments in shown["crucible.generate"])


def test_flower_beyond_loopback_wants_the_password(seen: Seen) -> None:
    assert set(seen.refused.values()) == {401}, seen.refused


def test_flowers_password_is_nowhere_but_in_its_file(seen: Seen) -> None:
    password = seen.login.partition(":")[2]

    assert len(password) > 20
    assert password not in seen.public
    assert not [line for line in seen.flower_lines if password in line]


def test_flower_keeps_its_tasks_over_a_restart(seen: Seen) -> None:
    assert seen.tasks.keys() <= seen.tasks_kept.keys()
    for task_id, task in seen.tasks.items():
        assert seen.tasks_kept[task_id]["args"] == task["args"]


def test_no_page_of_flower_shows_a_secret(seen: Seen) -> None:
    assert "crucible.generate" in seen.pages["/tasks"] + json.dumps(seen.tasks)
    for path, text in {**seen.pages, "tasks": json.dumps(seen.tasks)}.items():
        assert not _secrets_in(text), path


def _value(seen: Seen, name: str, **labels: str) -> float:
    """The sum of the samples of this name with these labels, over all workers."""
    samples = [sample for family in seen.scraped for sample in family.samples]
    found = [
        sample.value
        for sample in samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert found, f"{name} {labels}"
    return sum(found)


def test_workers_and_controller_count_what_they_do(seen: Seen) -> None:
    judged = ASKED - 1
    assert _value(seen, "crucible_judged_programs_total") == judged
    assert _value(seen, "crucible_judged_programs_total", outcome="passed") == judged
    assert _value(seen, "crucible_sampled_completions_total") == judged
    # as the model's server counts: 10 of the prompt, 7 sampled
    assert _value(seen, "crucible_prompt_tokens_total") == 10 * judged
    assert _value(seen, "crucible_completion_tokens_total") == 7 * judged
    assert _value(seen, "crucible_generation_failures_total") >= 1
    for contract in ("crucible.generate", "crucible.store_completions"):
        ended = {"contract": contract, "outcome": "succeeded"}
        assert _value(seen, "crucible_tasks_total", **ended) >= ASKED
        assert _value(seen, "crucible_task_duration_seconds_count", contract=contract) >= ASKED
    assert _value(seen, "crucible_sandbox_refusals_total") == 0
    assert _value(seen, "crucible_host_drained") == 0


def test_the_controller_tells_of_the_cluster(seen: Seen) -> None:
    assert _value(seen, "crucible_controller_reaches") == 2
    assert _value(seen, "crucible_runs") == 1
    for queue in QUEUES:
        assert _value(seen, "crucible_worker_info", queue=queue) == 1
        assert _value(seen, "crucible_queue_messages", queue=queue) >= 0
    assert _value(seen, "crucible_missing_completions") >= 0
    assert _value(seen, "crucible_disk_free_bytes") > 0


def test_metrics_are_named_by_prometheus_rules_and_have_bounded_labels(seen: Seen) -> None:
    for family in _families(seen):
        assert family.name.startswith("crucible_"), family.name
        assert family.documentation
        is_unit = family.name.endswith(ENDINGS)
        assert is_unit or not any(f"{ending}_" in family.name for ending in ENDINGS), family.name
        for sample in family.samples:
            assert sample.labels.keys() <= LABELS
            assert seen.run_id not in sample.labels.values()
            assert (family.type == "counter") == sample.name.endswith("_total")


def _families(seen: Seen) -> list[Metric]:
    return [one for one in seen.scraped if not one.name.startswith("process_")]


def _expressions() -> dict[str, str]:
    """Every question of the dashboard and the alerts, by where it stands."""
    dashboard = json.loads((INFRA / "grafana" / "dashboards" / "crucible.json").read_text())
    found = {
        f"panel {panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }
    (group,) = _yaml("prometheus/alerts.yml")["groups"]
    found |= {f"alert {rule['alert']}": rule["expr"] for rule in group["rules"]}
    return found


def _selectors(expression: str) -> list[promql_parser.VectorSelector]:
    # Grafana's own variable, which is a length of time
    tree = promql_parser.parse(expression.replace("$__rate_interval", "1m"))
    found: list[promql_parser.VectorSelector] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(tree, visit)
    return found


def test_dashboard_and_alerts_ask_only_for_what_workers_serve(seen: Seen) -> None:
    samples = [(sample.name, sample.labels) for one in seen.scraped for sample in one.samples]
    # this machine may have no GPU: what one would tell comes from the same code
    board = Board("GPU-1", milliwatts=1, millijoules=1)
    samples += [
        (one.name, dict(one.labels)) for one in host_figures.figures_of(ScriptedGpus(board))
    ]
    served: dict[str, list[dict[str, str]]] = {}
    for name, labels in samples:
        served.setdefault(name, []).append(labels)
    for place, expression in _expressions().items():
        selectors = _selectors(expression)
        assert selectors, place
        for selector in selectors:
            assert selector.name in served, f"{place}: {selector.name}"
            for matcher in selector.matchers.matchers:
                # Prometheus adds where a figure comes from
                asked = {matcher.name: matcher.value}.items()
                is_there = any(asked <= labels.items() for labels in served[selector.name])
                assert matcher.name == "job" or is_there, f"{place}: {matcher.name}"


def test_every_family_is_looked_at_by_a_panel_or_an_alert(seen: Seen) -> None:
    asked = {one.name for text in _expressions().values() for one in _selectors(text)}
    unseen = [
        family.name
        for family in _families(seen)
        if family.samples and asked.isdisjoint(sample.name for sample in family.samples)
    ]

    assert unseen == []


def _yaml(path: str) -> Any:
    return yaml.safe_load((INFRA / path).read_text())


def test_the_files_of_prometheus_and_grafana_fit_together() -> None:
    prometheus = _yaml("prometheus/prometheus.yml")
    (source,) = _yaml("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    (provider,) = _yaml("grafana/provisioning/dashboards/crucible.yml")["providers"]
    dashboard = json.loads((INFRA / "grafana" / "dashboards" / "crucible.json").read_text())
    panels = dashboard["panels"]

    assert [(INFRA / "prometheus" / name).is_file() for name in prometheus["rule_files"]] == [True]
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    assert provider["type"] == "file"
    assert {one["datasource"]["uid"] for one in panels if "targets" in one} == {source["uid"]}
    assert len({one["id"] for one in panels}) == len(panels)


def _entries(seen: Seen) -> list[dict[str, Any]]:
    return [json.loads(line) for line in seen.worker_lines if line.startswith("{")]


def test_every_line_about_a_task_names_message_run_and_challenge(seen: Seen) -> None:
    # our own lines; libraries write in the same threads, with the same fields
    entries = [entry for entry in _entries(seen) if "work" in entry and "logger" not in entry]
    works = {"crucible.generate", "crucible.evaluate", "crucible.store_completions"}
    about = [entry for entry in entries if entry["work"] in works]

    assert {entry["work"] for entry in about} == works
    assert {"task_began", "task_ended", "generation_failed"} <= {one["event"] for one in about}
    for entry in about:
        assert entry["run"] == seen.run_id
        assert entry["task"].startswith("HumanEval/")
        assert entry["message"] in seen.tasks
    settled = [entry for entry in entries if entry["event"] == "run_settled"]
    assert [entry["run"] for entry in settled] == [seen.run_id]
    assert all("message" in entry for entry in settled)


def test_our_lines_without_a_message_are_about_the_process(seen: Seen) -> None:
    ours = [entry for entry in _entries(seen) if "logger" not in entry]
    others = {entry["event"] for entry in ours if "message" not in entry}

    assert others <= {"metrics_served", "models_of_this_host", "no_gpu"}
    assert all("work" in entry for entry in ours if "message" in entry)


def test_no_line_at_debug_level_holds_a_secret(seen: Seen) -> None:
    lines = [*seen.worker_lines, *seen.flower_lines]

    assert len(lines) > 100
    assert [line for line in lines if _secrets_in(line)] == []


def test_every_log_line_for_a_collector_is_json_with_time_level_and_event(seen: Seen) -> None:
    for entry in _entries(seen):
        assert {"time", "level", "event"} <= entry.keys()


def _secrets_in(text: str) -> list[str]:
    secrets = (BROKER_PASSWORD, DATABASE_PASSWORD, API_KEY)
    # as it is, as a URL holds it, as JSON and Python write it
    forms = [
        form
        for secret in secrets
        for form in (secret, secret.replace('"', "%22").replace("\\", "%5C"))
        for form in (form, json.dumps(form)[1:-1], repr(form)[1:-1])
    ]
    return [form for form in forms if form in text]
