"""A report as one HTML file that needs nothing else: styles, scripts and plotly.js are inside.

It is opened from a disk, where no server says what a browser may do: the file says so itself. Only
what it carries may run or style, by its digest, and nothing is fetched.
"""

from __future__ import annotations

import hashlib
import html
from base64 import b64encode
from collections.abc import Iterator

from crucible_api import __version__
from crucible_api.page.plots import plotly_js
from crucible_api.page.plots.costs import SCALES, costs
from crucible_api.page.plots.effect import bar
from crucible_api.page.plots.figure import Figure
from crucible_api.page.plots.heat_maps import heat_maps
from crucible_api.page.plots.pass_curves import pass_curves
from crucible_api.page.rendering import STATIC, environment
from crucible_api.quality_cost import cost_points_of
from crucible_api.run_report import ReportedRun, RunReport

#: curves in one figure that can still be told apart
_MOST_CURVES = 12


def report_html(report: RunReport, *, has_plots: bool) -> str:
    """The whole file; without plots it has their numbers, and some 30 kB."""
    figures = list(report_figures(report))
    template = environment().get_template("report.html")
    body = template.render(
        report=report,
        figures=figures,
        has_plots=has_plots,
        bar=None if report.compared is None else bar(report.compared.found),
        version=__version__,
    )
    scripts = _scripts() if has_plots and figures else []
    style = "\n".join((STATIC / name).read_text("utf-8") for name in ("crucible.css", "figure.css"))
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, scripts)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{html.escape(report.title)} · codecrucible</title>",
        # plotly.js would bring rules of its own; see figure.css
        f'<style id="plotly.js-style-global" class="no-inline-styles">{style}</style>',
        f"</head>\n<body>\n{body}",
        *(f"<script>{script}</script>" for script in scripts),
        "</body>\n</html>",
    ]
    # half a surrogate pair, which UTF-8 cannot say, becomes a question mark
    return "\n".join(parts).encode("utf-8", "replace").decode("utf-8")


def report_figures(report: RunReport) -> Iterator[Figure]:
    """The figures there is something in."""
    if len(report.runs) <= _MOST_CURVES and (
        figure := pass_curves([one.curve for one in report.runs])
    ):
        yield figure
    k = report.ks[0] if report.ks else 1
    if report.sweep is not None:
        yield from heat_maps(report.sweep.runs, k)
    for place, (dataset, mine) in enumerate(_by_dataset(report.runs).items()):
        points = cost_points_of([one.summary for one in mine], k) if len(mine) > 1 else ()
        for scale in SCALES:
            if found := costs(points, scale, f"costs-{place}", dataset):
                yield found


def _by_dataset(runs: tuple[ReportedRun, ...]) -> dict[str, list[ReportedRun]]:
    found: dict[str, list[ReportedRun]] = {}
    for one in runs:
        found.setdefault(one.summary.run.dataset, []).append(one)
    return found


def _scripts() -> list[str]:
    # the first prepares the page for the second
    return [(STATIC / "figure.js").read_text("utf-8"), plotly_js.source().decode("utf-8")]


def _policy(style: str, scripts: list[str]) -> str:
    allowed = " ".join(map(_digest, scripts)) or "'none'"
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {allowed}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"
