"""Rendering: templates that escape everything, and how numbers, times and texts look in them."""

from __future__ import annotations

import json
import math
import time
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from crucible_api.grid import LETTERS
from crucible_api.page.visible import visible
from crucible_tasks.scores import Score
from crucible_tasks.verdict import Outcome

_HERE = Path(__file__).parent

#: stylesheets and scripts
STATIC = _HERE / "static"

#: an en dash
_UNKNOWN = "\u2013"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def render(
    request: Request,
    template: str,
    status: int = 200,
    headers: dict[str, str] | None = None,
    /,
    **values: Any,
) -> Response:
    """A page. What UTF-8 cannot say, half a surrogate pair, becomes a question mark."""
    text = environment().get_template(template).render(path=request.url.path, **values)
    return Response(text.encode("utf-8", "replace"), status, headers, "text/html; charset=utf-8")


@cache
def environment() -> Environment:
    """The templates with their filters."""
    made = Environment(
        loader=PackageLoader("crucible_api.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        percent=percent,
        interval=interval,
        duration=duration,
        ago=ago,
        moment=moment,
        grouped=grouped,
        share=share,
        words=words,
        letter=letter,
        visible=visible,
        sentence=sentence,
        manifest=manifest,
    )
    return made


def percent(fraction: float | None) -> str:
    """A fraction as tables show it: 35.4 %; a dash where it is not known."""
    unknown = fraction is None or math.isnan(fraction)
    return _UNKNOWN if unknown else f"{(fraction or 0.0) * 100:.1f} %"


def share(fraction: float) -> str:
    """A share rounded down, so that 100 % is all of it: 99.9 %."""
    return f"{int(fraction * 1000) / 10:g} %"


def words(name: str) -> str:
    """A name of ours as people write it: timed out."""
    return str(name).replace("_", " ")


def letter(outcome: str) -> str:
    """What an outcome is told by where there is room for one character."""
    return LETTERS[Outcome(outcome)]


def interval(score: Score) -> str:
    """The 95 % interval of a score: [25.3, 47.2]; nothing where it is not known."""
    if math.isnan(score.low):
        return ""
    return f"[{score.low * 100:.1f}, {score.high * 100:.1f}]"


def duration(seconds: float | None) -> str:
    """Seconds as a clock shows them: 0:27, 1:02:03."""
    if seconds is None:
        return _UNKNOWN
    whole = round(seconds)
    hours, minutes = whole // _HOUR, whole % _HOUR // _MINUTE
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def ago(moment: float | None) -> str:
    """How long ago a moment was, in its largest unit: 3 min ago."""
    if moment is None:
        return _UNKNOWN
    seconds = max(0.0, time.time() - moment)
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds // unit:.0f} {name} ago"
    return f"{seconds:.0f} s ago"


def moment(seconds: float | None) -> str:
    """A moment in UTC, to the second, as HTML's `time` element wants it."""
    return "" if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def grouped(number: float) -> str:
    """A whole number with its thousands apart: 32,800."""
    return f"{number:,.0f}"


def sentence(text: str) -> str:
    """A line of a command's answer as a sentence: with a capital, and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def manifest(found: dict[str, Any]) -> str:
    """A run's manifest as text."""
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False)
