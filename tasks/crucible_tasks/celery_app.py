"""The Celery app: broker, JSON only, late acknowledgement, queues, worker modules by name."""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery, signals
from kombu import Queue
from kombu.exceptions import OperationalError
from msgspec import ValidationError

from crucible_infra import log, settings
from crucible_infra.errors import DiskFull, InvalidInput
from crucible_tasks import (
    celery_log,
    control,
    evaluation,
    execution,
    fine_tuning,
    gang,
    generation,
    measured,
    redis_transport,
    survey,
    trial,
)
from crucible_tasks.broker_tls import read_address

#: how often the controller asks the database what is missing, in seconds: short enough that a
#: lost message is not noticed by the user, long enough to cost nothing
RECONCILE_SECONDS = 10.0

#: seconds for connecting, writing and reading; a dead broker must be noticed, not waited for
SOCKET_SECONDS = 4.0

#: seconds between checks of idle connections, which find half-open ones (firewalls, vanished
#: hosts); Kombu drops one that is silent for twice this and a second
HEALTH_CHECK_SECONDS = 5

#: seconds until Kombu gives a worker's own unacknowledged message out again; longer than
#: TASK_SECONDS, or one task would run twice at once. A dead worker's come back much sooner:
#: `holdings`
VISIBILITY_SECONDS = 3600

#: the same for whoever trains, which takes hours or days: nobody trains for a month
TRAINING_VISIBILITY_SECONDS = 30 * 86_400

#: seconds after which a worker process ends because a task of its hangs; a task of ours stops
#: beginning samples after 1500 and one sample may take 1100. A training takes longer and says so:
#: `starts.live_on`
TASK_SECONDS = 3000

#: seconds a result waits for the door that asked; nobody asks twice
RESULT_SECONDS = 600

CONTRACTS = (
    generation.GENERATION,
    generation.MODELS,
    evaluation.EVALUATION,
    evaluation.JUDGING,
    evaluation.HOST,
    execution.EXECUTION,
    fine_tuning.FINE_TUNE,
    fine_tuning.STORE_TRAINING,
    gang.JOIN_GANG,
    survey.SURVEY,
    trial.TRIAL,
    control.STORE_COMPLETIONS,
    control.STORE_VERDICTS,
    control.RECONCILE,
)

QUEUES = tuple(dict.fromkeys(contract.queue for contract in CONTRACTS))

app = Celery(
    "crucible",
    # refuses messages that ask for more than their own task
    task_cls="crucible_tasks.admission:AdmittedTask",
    # strings: whoever sends never loads an engine
    include=(
        "crucible_workers.generate",
        "crucible_workers.evaluate",
        "crucible_workers.check_host",
        "crucible_workers.fine_tune",
        "crucible_workers.survey_repository",
        "crucible_workers.try_challenge",
        "crucible_workers.execute",
        "crucible_workers.control",
        "crucible_workers.capabilities",
        "crucible_workers.control_metrics",
    ),
)


#: plain, over TLS, over a unix socket
_BROKER_SCHEMES = ("redis://", "rediss://", "redis+socket://")


def _options(current: settings.Settings) -> dict[str, Any]:
    shared = {
        # JSON only: a message must never be able to run code
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        # a typo in a queue's name is an error, not a new queue nobody serves
        "task_queues": [Queue(name) for name in QUEUES],
        "task_create_missing_queues": False,
        "task_default_queue": control.QUEUE,
        # for whoever sends by name alone, like Flower
        "task_routes": {contract.name: {"queue": contract.queue} for contract in CONTRACTS},
        # a task ends when its work is done, not when it is received: work of a lost worker returns
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # tasks last seconds to minutes: a waiting one belongs to whoever is idle
        "worker_prefetch_multiplier": 1,
        # results travel to the controller as tasks; contracts that are asked directly say so
        "task_ignore_result": True,
        "result_expires": RESULT_SECONDS,
        # one short retry: a person waits behind most sends, and reconcile repeats the others
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.1},
        # crucible_infra.log writes the log; root logger and stdout stay as they are
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }
    return shared | (_embedded_options() if current.is_embedded else _cluster_options(current))


def _embedded_options() -> dict[str, Any]:
    return {
        "broker_url": settings.EMBEDDED_BROKER_URL,
        # Kombu's own sleeps between looks at its queues
        "broker_transport": "crucible_tasks.memory_transport:Transport",
        "result_backend": "cache+memory://",
        # nobody can call this process from outside
        "worker_enable_remote_control": False,
    }


def _cluster_options(current: settings.Settings) -> dict[str, Any]:
    if not current.broker_url.startswith(_BROKER_SCHEMES):
        raise InvalidInput(
            "CRUCIBLE_BROKER_URL is not the URL of a Redis",
            hint="it looks like redis://HOST:6379/0 or rediss://:PASSWORD@HOST/0",
        )
    address = read_address(current.broker_url)
    return {
        "broker_url": address.url,
        "broker_use_ssl": address.tls,
        # one server less than a separate result store
        "result_backend": address.url,
        "redis_backend_use_ssl": address.tls,
        # workers outlive restarts of Redis and may start before it
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": SOCKET_SECONDS,
            "socket_keepalive": True,
            "health_check_interval": HEALTH_CHECK_SECONDS,
        },
        "redis_socket_timeout": SOCKET_SECONDS,
        "redis_socket_connect_timeout": SOCKET_SECONDS,
        "redis_socket_keepalive": True,
        "redis_backend_health_check_interval": HEALTH_CHECK_SECONDS,
        # Celery's default tries for twenty seconds; one try per connection that a silent cut killed
        "result_backend_transport_options": {"retry_policy": {"max_retries": 5}},
        # what was begun goes on while Redis is away: its result is sent when it is back, and
        # threads could not be stopped anyway
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Flower asks for them every 5 s, and would miss what a new worker does before
        "worker_send_task_events": True,
        # below the visibility time-out, so that no task runs twice at once; for Celery's own
        # `celery worker`, because threads know no limit: `membership` ends a hung `crucible worker`
        "task_time_limit": TASK_SECONDS,
        # a cold stop (SIGQUIT, or SIGTERM where REMAP_SIGTERM says so) lets short tasks end and
        # hands back the others, within the 30 s Kubernetes waits; SIGTERM: `draining_pool`
        "worker_soft_shutdown_timeout": 20.0,
    }


redis_transport.use()
app.conf.update(_options(settings.current()))

measured.connect()


def know_queue(name: str) -> None:
    """Let this process send to a queue whose name was computed; typos stay errors."""
    if name not in app.amqp.queues:
        app.amqp.queues.add(Queue(name))


def send_reconcile() -> None:
    """Ask the controller to look for missing work; a dead broker is logged, the next tick asks."""
    try:
        # an unheard question is worth nothing after the next one
        control.RECONCILE.signature(control.Reconcile()).apply_async(expires=RECONCILE_SECONDS)
    except OperationalError as error:
        log.warning("reconcile_not_sent", problem=str(error))


@signals.worker_ready.connect
def _reconcile_from_the_controller(sender: Any, **_: Any) -> None:
    # On the worker's own timer rather than beat: no second process to run exactly once, no
    # schedule file, and it ticks if and only if a controller is there. Two controllers ask twice,
    # which is harmless.
    if control.QUEUE in sender.app.amqp.queues.consume_from:
        send_reconcile()
        sender.timer.call_repeatedly(RECONCILE_SECONDS, send_reconcile)


@signals.setup_logging.connect
def _log_our_way(**_: Any) -> None:
    # Celery configures no logging of its own once somebody answers this signal
    log.configure(level="INFO")
    if not settings.current().is_debugging:
        # says again, in more lines, what `task_failed` says
        logging.getLogger("celery.app.trace").setLevel(logging.CRITICAL)
        celery_log.shorten()


@signals.task_prerun.connect
def _bind_ids(task_id: str, task: Any, args: tuple[Any, ...], **_: Any) -> None:
    message = args[0] if args and isinstance(args[0], dict) else {}
    log.bind(
        message=task_id,
        work=task.name,
        run=message.get("run_id"),
        task=message.get("task_id"),
        fine_tune=message.get("fine_tune_id"),
    )
    log.debug("task_began")


@signals.task_postrun.connect
def _unbind_ids(state: str, **_: Any) -> None:
    log.debug("task_ended", state=state)
    log.unbind()


@signals.task_failure.connect
def _log_failure(exception: BaseException, **_: Any) -> None:
    if isinstance(exception, ValidationError):
        # somebody else's message, or another version's; where in our code says nothing
        log.error("message_refused", problem=str(exception))
    # in one process, the command that waits says this once, and ends
    elif not (isinstance(exception, DiskFull) and settings.current().is_embedded):
        log.error("task_failed", error=exception)
