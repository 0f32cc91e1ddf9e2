"""`crucible fine-tunes resume`: go on with a fine-tune from its last checkpoint."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.fine_tunes import HELP
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

EPILOG = f"""What is trained already is proved, if that is still missing. {HELP}"""


@click.command(epilog=EPILOG)
@click.argument("name", metavar="FINE_TUNE")
@click.option("--detach", "is_detached", is_flag=True, help="Let the cluster go on, and leave.")
@options.speaking
def command(voice: Voice, *, name: str, is_detached: bool) -> None:
    """Go on with a fine-tune that was stopped, killed or has failed; print its answer."""
    from crucible_api.cli import conclusion, training_watch
    from crucible_api.cli.hands import run_hands
    from crucible_api.fine_tune_service import open_fine_tunes

    if is_detached and current().runs_here:
        hint = "leave --detach out"
        raise InvalidInput("--detach needs a cluster: this process trains", hint=hint)
    fine_tunes = open_fine_tunes(current())
    row = fine_tunes.find(name).row
    fine_tune_id = row.id
    _demand_worker(row.hosts)
    if is_detached:
        fine_tunes.resume(fine_tune_id)
        fine_tunes.go_on(fine_tunes.info(fine_tune_id))
        voice.talk(f"goes on; crucible fine-tunes follow {fine_tune_id}")
        return
    with run_hands(voice, trains=True):
        with training_watch.stoppable(fine_tunes, fine_tune_id, voice):
            fine_tunes.resume(fine_tune_id)
            info = training_watch.follow(fine_tunes, fine_tune_id, voice)
        fine_tunes.go_on(info)
        conclusion.conclude(info, voice)


def _demand_worker(hosts: int) -> None:
    if not current().is_embedded:
        from crucible_tasks.fine_tuning import QUEUE
        from crucible_tasks.served import demand_worker

        demand_worker(QUEUE, hosts)
