"""The schedule: which runs may send how many messages to one server, or to the sandboxes.

A group is a sweep, or a run that belongs to none.

Priority
    While something of a higher priority waits, nothing of a lower one is sent. What is under way
    already is not called back.
Fair share
    Among equals the next message goes to the group with the fewest unanswered ones, so each comes
    to an equal share of the window. Within a group the oldest run goes first. What one group does
    not need, the others get.
Newcomers
    A group of which nothing was ever answered or is under way gets one message at once, also when
    the window is full and whoever's turn it is: whoever tries something out sees it start.
Heads of queues
    The next message of a group that has none under way goes before whatever waits in the queue. A
    big sweep always has some, so a small run waits for a servant and not for the sweep's messages.
Models
    A server that loads another model answers nobody meanwhile, so groups that want different ones
    take turns: each minute of the clock belongs to one of the waiting groups in rotation, and its
    oldest run names the model. Whoever waits for the same model shares that minute equally. Other
    models wait, unless nothing of that one does. With one group there are no turns: it finishes
    one model and goes on with the next.

The clock decides whose turn it is, so several controllers agree without talking, and one that was
killed has forgotten nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: seconds one model stays: a model of 14 GB loads in 5 to 20 s, and a person waits a minute
TURN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A running run that sends to one server."""

    run_id: str
    #: its sweep, or itself
    group: str
    #: higher goes first
    priority: int
    #: what the server must have loaded; empty where changing costs nothing
    model: str
    #: whether there is something to send
    is_waiting: bool
    #: sent and not answered
    unanswered: int
    #: whether anything was ever answered
    was_heard: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """How many messages a run may send now."""

    run_id: str
    messages: int
    #: whether the first of them goes before whatever waits in its queue
    goes_ahead: bool


def share_out(contenders: Sequence[Contender], room: int, now: float) -> tuple[Grant, ...]:
    """Who may fill the room in the window; `contenders` come oldest first.

    A run that has less to send than it is granted leaves room: ask again without it.
    `now` is in seconds since the epoch.
    """
    waiting = [one for one in contenders if one.is_waiting]
    highest = max((one.priority for one in waiting), default=0)
    waiting = [one for one in waiting if one.priority == highest]
    granted = Counter(one.run_id for one in _newcomers(contenders, waiting))
    eligible = _with_the_model_of_the_turn(waiting, now)
    held = Counter({one.group: 0 for one in eligible})
    for one in contenders:
        held[one.group] += one.unanswered + granted[one.run_id]
    for _ in range(room - granted.total() if eligible else 0):
        # the first of equals is the oldest
        chosen = min(eligible, key=lambda one: held[one.group])
        held[chosen.group] += 1
        granted[chosen.run_id] += 1
    return tuple(_grants(contenders, granted))


def _grants(contenders: Sequence[Contender], granted: Counter[str]) -> Iterator[Grant]:
    groups = {one.run_id: one.group for one in contenders}
    busy = {one.group for one in contenders if one.unanswered}
    for run_id, messages in granted.items():
        yield Grant(run_id, messages, goes_ahead=groups[run_id] not in busy)
        busy.add(groups[run_id])


def _newcomers(
    contenders: Sequence[Contender], waiting: Sequence[Contender]
) -> Iterator[Contender]:
    """The oldest waiting run of each group that has never had anything."""
    seen = {one.group for one in contenders if one.was_heard or one.unanswered}
    for one in waiting:
        if one.group not in seen:
            seen.add(one.group)
            yield one


def _with_the_model_of_the_turn(waiting: Sequence[Contender], now: float) -> list[Contender]:
    groups = list(dict.fromkeys(one.group for one in waiting))
    if not groups:
        return []
    whose = groups[int(now // TURN_SECONDS) % len(groups)]
    model = next(one.model for one in waiting if one.group == whose)
    return [one for one in waiting if one.model == model]
