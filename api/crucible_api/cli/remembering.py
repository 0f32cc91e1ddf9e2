"""What was asked and answered, logged: an answer never fails because that cannot be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible_api.cli.output import Voice
from crucible_infra.errors import CrucibleError
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.conversations import Exchange


def remember(exchange: Exchange, conversation_id: str | None, voice: Voice) -> str | None:
    """Log an exchange in this conversation, or in a new one; its id if it has one."""
    from crucible_api.conversations import open_conversations

    try:
        return open_conversations(current()).record(exchange, conversation_id)
    except CrucibleError as error:
        voice.warn(f"the answer is not logged: {error.message}")
        return conversation_id
