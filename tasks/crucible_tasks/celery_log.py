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
_TALKERS = (
    "celery.worker.consumer.consumer",
    "celery.worker.request",
    "celery.worker.pidbox",
    "celery.backends.base",
    "celery.backends.redis",
)

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


class _WithoutChosen(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Drop the advice to set what is set: Celery gives it whenever the broker is lost."""
        return "worker_cancel_long_running_tasks_on_connection_loss" not in record.getMessage()


_shortened = _Shortened()
_without_chosen = _WithoutChosen()


def shorten() -> None:
    """Shorten what Celery's consumer writes from now on; harmless when repeated."""
    for name in _TALKERS:
        logging.getLogger(name).addFilter(_shortened)
    # it is turned on while a worker runs, so a filter of warnings would not last
    logging.getLogger("py.warnings").addFilter(_without_chosen)
