"""`crucible report`: runs and sweeps as one file to mail, or as text for a pull request."""

from __future__ import annotations

from pathlib import Path

import click

from crucible_api.cli import files, options, selection
from crucible_api.cli.output import Voice, plural
from crucible_infra.settings import current

DEFAULT = "report.html"

EPILOG = f"""\b
Examples:
  crucible report latest
  crucible report 20260131-12 -o run.html
  crucible report RUN_A RUN_B                    with a comparison of both
  crucible report SWEEP --no-plots               small: numbers instead of plots
  crucible report BASE latest --md >> "$GITHUB_STEP_SUMMARY"

The HTML file needs nothing else: it opens from a disk, and asks no host for anything. plotly.js in
it has 5 MB; --no-plots leaves it out. A run that is not finished is told as far as it is, and the
report says so. {selection.HELP}
"""


@click.command(epilog=EPILOG)
@selection.names
@click.option("--md", "is_markdown", is_flag=True, help="Markdown instead, for a pull request.")
@click.option(
    "--no-plots",
    "has_plots",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Leave plotly.js out; the numbers of the plots stay.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help=f"Where to; `-` is stdout.  [default: {DEFAULT}, and stdout with --md]",
)
@click.option("--force", "is_forced", is_flag=True, help="Replace the file if it exists.")
@options.speaking
def command(
    voice: Voice,
    *,
    names: tuple[str, ...],
    is_markdown: bool,
    has_plots: bool,
    output: str | None,
    is_forced: bool,
) -> None:
    """Write what is known about runs or a sweep into one file."""
    from crucible_api.run_report import run_report
    from crucible_api.run_service import open_runs

    target = output or (files.STDOUT if is_markdown else DEFAULT)
    files.check_writable(target, is_forced=is_forced, is_json=voice.is_json)
    runs = open_runs(current())
    report = run_report(runs, selection.chosen(runs, names))
    for one in report.runs:
        if one.standing is not None:
            voice.warn(one.standing)
    if is_markdown:
        from crucible_api.markdown_report import report_markdown

        text = report_markdown(report)
    else:
        from crucible_api.page.report_page import report_html

        text = report_html(report, has_plots=has_plots)
    files.write(target, [text], voice)
    if target == files.STDOUT:
        return
    size = Path(target).stat().st_size
    if voice.is_json:
        voice.data(
            {"report": target, "bytes": size, "runs": [one.summary.run.id for one in report.runs]}
        )
    voice.talk(f"{target}: {_size(size)}, {plural(len(report.runs), 'run')}")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"
