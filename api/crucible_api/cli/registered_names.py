"""What a user calls a model that a fine-tune has made, where a text has its spec."""

from __future__ import annotations

import re

from crucible_infra.errors import StorageError
from crucible_infra.settings import current

#: what `registered.spec_of_trained` makes, up to its style; a comma or a space ends it
_SPEC = re.compile(r"\b(?:hf:|nano)[^\s,;|()]*artifact:(?:sha256:)?(?P<digest>[0-9a-f]{64})")


def with_names(text: str) -> str:
    """The text with the names of registered models for their specs, for people to read."""
    # where nothing was ever stored, asking would make a database
    is_there = current().has_database_url or current().database_file.exists()
    if not _SPEC.search(text) or not is_there:
        return text
    try:
        return _SPEC.sub(lambda found: _name(found["digest"]) or found[0], text)
    except StorageError:
        # whoever wants to know asks for the models
        return text


def _name(artifact: str) -> str | None:
    """The name that leads to these weights; None where the configuration has it for another."""
    from crucible_api.fine_tunes import open_fine_tunes
    from crucible_infra.database.adapters import adapter_of_artifact

    with open_fine_tunes(current()).database.reading() as connection:
        found = adapter_of_artifact(connection, artifact)
    return None if found is None or found.name in current().models else found.name
