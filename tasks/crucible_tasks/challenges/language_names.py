"""Programming languages by the names that datasets give them."""

from __future__ import annotations

from crucible_tasks.challenge import Language

_NAMES = {
    "python": Language.PYTHON,
    "py": Language.PYTHON,
    "javascript": Language.JAVASCRIPT,
    "js": Language.JAVASCRIPT,
}


def language_named(name: str) -> Language:
    """Return the language; everything that cannot be run here is `Language.OTHER`."""
    return _NAMES.get(name.lower(), Language.OTHER)
