"""A report as Markdown for a pull request: tables, the verdict in a sentence, details folded.

Names and reasons are foreign texts, and a host of Markdown makes mentions, links and markup of
what it finds. So each of them is written as code, where nothing of that happens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from crucible_api import __version__
from crucible_api.run_report import ReportedRun, RunReport
from crucible_tasks.scores import Score

#: characters that a comment on GitHub may have, and some for what is said about the rest
_LONGEST = 65_536 - 1000


def report_markdown(report: RunReport) -> str:
    """The whole text; what is folded is left out where it would be too long for a comment."""
    text = "\n\n".join(_told(report))
    for title, folded in _folded(report):
        block = f"\n\n<details><summary>{title}</summary>\n\n{folded}\n\n</details>"
        if len(text) + len(block) > _LONGEST:
            block = f"\n\n{title}: left out, as a comment may not be longer."
        text += block
    return f"{text}\n\n<sub>codecrucible {__version__}; intervals are at 95 %</sub>"


def code(text: str) -> str:
    """A foreign text as code, on one line, also in a table."""
    shown = "".join(character if character.isprintable() else "\ufffd" for character in text)
    runs = re.findall("`+", shown)
    fence = "`" * (max(map(len, runs), default=0) + 1)
    # a table ends its cell at a bar, even in code
    shown = shown.replace("|", "\\|")
    if not shown.strip() or shown.startswith("`") or shown.endswith("`"):
        shown = f" {shown} "
    return f"{fence}{shown}{fence}"


def fenced(text: str, language: str = "") -> str:
    """A foreign text of several lines as a block of code."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _told(report: RunReport) -> Iterator[str]:
    yield f"### {report.title}"
    for one in report.runs:
        if one.standing is not None:
            yield f"> **Careful:** {one.standing}."
    yield _runs(report)
    yield "\n".join(_validity(one) for one in report.runs)
    if report.compared is not None:
        found = report.compared.found
        sentence = found.sentence
        yield code(sentence) if found.reason else f"**{sentence[:1].upper()}{sentence[1:]}.**"
        yield f"A is {code(report.compared.a.label)}, B is {code(report.compared.b.label)}."
        yield from (f"> **Careful:** {code(note)}" for note in report.compared.notes)
    if report.sweep is not None:
        yield from _best(report)


def _runs(report: RunReport) -> str:
    columns = ["model", "dataset", "n", "T", *(f"pass@{k} [95 %]" for k in report.ks), "state"]
    if len(report.runs) == 2:
        columns.insert(0, "")
    rows = []
    for name, one in zip("AB" if len(report.runs) == 2 else report.runs, report.runs, strict=True):
        run = one.summary.run
        known = {score.k: score for score in one.summary.scores}
        rows.append(
            [
                *([str(name)] if len(report.runs) == 2 else []),
                code(run.model_text),
                f"{code(run.dataset)} ({run.challenges})",
                str(run.n),
                "" if run.temperature is None else f"{run.temperature:g}",
                *(_score(known.get(k)) for k in report.ks),
                str(run.state),
            ]
        )
    return _table(columns, rows)


def _score(score: Score | None) -> str:
    if score is None or score.reason is not None:
        return "n/a"
    return f"**{100 * score.value:.1f} %** [{100 * score.low:.1f}, {100 * score.high:.1f}]"


def _validity(one: ReportedRun) -> str:
    parts = [one.summary.quality.line]
    parts += [
        f"pass@{each.k} is not known: {each.reason}"
        for each in one.summary.scores
        if each.reason is not None
    ]
    if one.summary.isolation != "namespaces":
        parts.append(f"isolation: {one.summary.isolation or 'none yet'}")
    if one.energy is not None:
        parts.append(one.energy)
    if one.summary.run.registered is not None:
        parts.append(one.summary.run.registered.sentence)
    return f"- {code(one.label)}: {code('; '.join(parts))}"


def _best(report: RunReport) -> Iterator[str]:
    assert report.sweep is not None
    names = {one.summary.run.id: code(one.label) for one in report.runs}
    for best in report.sweep.best:
        found = ", ".join(names[run_id] for run_id in best.run_ids)
        told = f"Best on {code(best.dataset)}: {found}, pass@{best.score.k} {_score(best.score)}."
        if best.not_told_apart:
            rivals = ", ".join(names[run_id] for run_id in best.not_told_apart)
            told += f" Cannot be told from it: {rivals}."
        yield told


def _folded(report: RunReport) -> Iterator[tuple[str, str]]:
    names = [code(one.label) for one in report.runs]
    if report.compared is not None and report.compared.found.reason is None:
        found = report.compared.found
        yield (
            f"{len(found.wins)} better, {len(found.losses)} worse, {len(found.ties)} the same",
            f"B did better on: {_ids(found.wins)}\n\nB did worse on: {_ids(found.losses)}",
        )
    yield (
        "How the completions ended",
        _table(
            ["outcome", *names],
            [
                [outcome.value.replace("_", " "), *map(str, counts)]
                for outcome, counts in report.outcomes
            ],
        ),
    )
    yield (
        f"Challenge by challenge ({len(report.challenges)})",
        _table(
            ["passed of judged", *names],
            [
                [code(task_id), *("" if one is None else f"{one.c}/{one.n}" for one in counts)]
                for task_id, counts in report.challenges
            ],
        ),
    )
    for one, name in zip(report.runs, names, strict=True):
        command = "" if one.command is None else f"{fenced(one.command, 'sh')}\n\n"
        manifest = json.dumps(one.summary.manifest, indent=2, sort_keys=True)
        title = f"How to reproduce run {one.summary.run.id}"
        yield title, f"{name}\n\n{command}{fenced(manifest, 'json')}"


def _ids(task_ids: Sequence[str]) -> str:
    return ", ".join(map(code, task_ids)) or "none"


def _table(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = list(columns)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
