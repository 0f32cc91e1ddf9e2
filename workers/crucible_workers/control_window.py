"""The window: how many messages of one kind may be unanswered at once.

Whatever is sent sooner than a worker can take it lies in Redis, in front of a run that is started
later. Whatever is sent too late makes a worker wait. So the window follows the workers: unanswered
messages (leases in the database) that no longer wait in the broker are at work, and for every two
of those one more may wait.

Why no worker waits: with w messages at work that take s seconds each, w/s are answered a second.
Until an answer has become a new message (store, look, send: r seconds, some 10 ms, 100 ms behind a
busy controller) w*r/s workers are free, and w/2 messages wait for them: enough while a message
takes twice as long as a refill. Eight answers of a live model take longer. Verdicts come quicker,
but they wait for their canaries, up to 2 s, and count as at work meanwhile.

Why nobody waits long behind it: w/2 messages are taken in s/2 seconds, half the time of a message.

How it grows: from LEAST_WAITING by half with every look. A look comes with every answer, and every
LOOK_AGAIN_SECONDS while a queue is empty and nobody has answered yet: 1,000 idle workers of a slow
model have work within 7 s. On a laptop it ends at a handful.

What lies in Redis is at most MOST_UNANSWERED messages of a server and of evaluation, whatever the
number of completions in the database.
"""

from __future__ import annotations

#: messages that may always wait: a laptop's server answers 4 at once, and each answer that is
#: stored lets the next message out
LEAST_WAITING = 4

#: 100 hosts with 16 cores each are 1,600 workers, and half as many messages wait; the rest is for
#: verdicts that wait for canaries. 8 texts are some 8 KB: 33 MB in Redis
MOST_UNANSWERED = 4096

#: short beside the 10 s between two looks of its own, long beside what a look costs (some ms)
LOOK_AGAIN_SECONDS = 0.5


#: evaluations that may always wait: no answer lets another one out while verdicts wait for their
#: canaries, 2 s, or 20 s and more on a host that is busy otherwise; 2,000 programs in messages of 8
LEAST_EVALUATIONS = 256


def room(unanswered: int, backlog: int, least: int = LEAST_WAITING) -> int:
    """How many more messages may be sent; `backlog` of the unanswered ones wait in the broker.

    None while half of what may wait does: a refill of several costs little more than one of one.
    """
    # other servers' messages may wait in the same queue
    waiting = min(backlog, unanswered)
    allowed = max(least, (unanswered - waiting) // 2)
    if waiting > allowed // 2:
        return 0
    return max(0, min(allowed - waiting, MOST_UNANSWERED - unanswered))
