"""Whether this host can sample weights in its own process, told without loading an engine."""

from __future__ import annotations

from importlib.util import find_spec

#: of the `train` extra
_ENGINE = ("torch", "transformers", "peft", "safetensors")


def is_installed() -> bool:
    """Whether everything is there."""
    return all(find_spec(name) is not None for name in _ENGINE)
