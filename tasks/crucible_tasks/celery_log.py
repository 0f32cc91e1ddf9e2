"""What Celery says about its broker and about strange messages, in lines one can read.

It writes one line per try while Redis is away, and several with a traceback for a message that is
no task of ours. The worker's beat says when Redis is lost and when it is back; a strange message
is one line.
"""

from __future__ import annotations

import logging

#: how Celery begins what the beat says better
_ABOUT_THE_BROKER = (
    "consumer: Cannot connect to",
    "consumer: Connection to broker lost",
    "Connection to Redis lost",
    "Connection to broker lost",
)

#: who says it
_TALKERS = ("celery.worker.consumer.consumer", "celery.backends.redis", "celery.worker.pidbox")

#: characters of one line; the rest is somebody else's message
_LONGEST = 300


class _Shortened(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Drop what the beat tells; leave one line of the rest."""
        text = record.getMessage().strip()
        if text.startswith(_ABOUT_THE_BROKER):
            return False
        record.msg, record.args = text.partition("\n")[0][:_LONGEST], None
        record.exc_info = None
        return True


_shortened = _Shortened()


def shorten() -> None:
    """Shorten what Celery's consumer writes from now on; harmless when repeated."""
    for name in _TALKERS:
        logging.getLogger(name).addFilter(_shortened)
