#!/bin/sh
# Makes the passwords that docker-compose.yml reads, once; what is there is kept.
#   sh infra/docker/make-secrets.sh [DIRECTORY]
set -eu

directory=${1:-$(dirname "$0")/secrets}
# nobody else on this host gets in; the files themselves are for the containers' own users
mkdir -p "$directory"
chmod 0700 "$directory"
cd "$directory"

# 32 bytes from the kernel; hexadecimal digits need no quoting in a URL
new_password() {
    od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'
}

# what Redis keeps instead of a password
digest() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c 1-64
}

# One user of Redis, by the kind of work its hosts do. The rules in parentheses need Redis 7.2: each
# of them allows its commands for its keys alone. MORE is whatever else this kind needs.
worker() { # KIND MORE
    password=$(sed 's|.*:\(.*\)@.*|\1|' "broker_url_$1")
    printf 'user %s on #%s resetkeys resetchannels -@all' "$1" "$(printf %s "$password" | digest)"
    # connecting, and several questions at once
    printf ' +hello +ping +select +client|setinfo +client|setname'
    printf ' +multi +exec +discard +watch +unwatch +eval +evalsha +script|load +script|exists'
    # its queue with the lists of its priorities, and what others ask its workers directly
    printf ' ~%s ~%s??? ~%s@* +brpop +lpush +rpush +llen +pexpire' "$1" "$1" "$1"
    # what its workers hold, and that they are there
    printf ' ~crucible.held.%s.* ~crucible.workers.%s ~crucible.worker.%s.*' "$1" "$1" "$1"
    printf ' +hset +hget +hmget +hgetall +hkeys +hlen +hdel +hincrby'
    printf ' +zadd +zrem +zrange +zrangebyscore +zrevrangebyscore +sadd +srem +smembers'
    # how often a message was begun, and the few answers that somebody waits for
    printf ' ~crucible.starts.* ~celery-task-meta-* +get +mget +set +setex +incr +incrby +decr +decrby'
    printf ' +del +unlink +rename +expire +ttl (+publish &celery-task-meta-*)'
    # bringing answers, which nobody but the controller takes and reads
    printf ' (+lpush +llen %%W~controller %%W~controller???) (+lpush %%W~*.reply.celery.pidbox)'
    # where messages go, which it cannot change; being asked, and telling Flower
    printf ' (+smembers %%R~_kombu.binding.*)'
    printf ' (+psubscribe +punsubscribe &/0.celery.pidbox) (+publish &/0.celeryev/*)'
    printf '%s\n' "$2"
}

for name in redis_password postgres_password grafana_password serve_token; do
    [ -s "$name" ] || new_password >"$name"
done
[ -s flower_users ] || printf 'crucible:%s\n' "$(new_password)" >flower_users
for kind in evaluation generation fine_tune; do
    [ -s "broker_url_$kind" ] ||
        printf 'redis://%s:%s@redis:6379/0\n' "$kind" "$(new_password)" >"broker_url_$kind"
done

# written anew each time, so that a changed password is changed everywhere
rm -f broker_url database_url redis_users
printf 'redis://:%s@redis:6379/0\n' "$(cat redis_password)" >broker_url
printf 'postgresql://crucible:%s@postgres:5432/crucible\n' "$(cat postgres_password)" >database_url
{
    printf 'user default on #%s ~* &* +@all\n' "$(digest <redis_password)"
    # verdicts that all hosts share
    worker evaluation ' ~crucible:verdicts:*'
    # the queues of single models
    worker generation ' ~generation.*'
    # what the controller says to its news
    worker fine_tune ' (+subscribe +unsubscribe &celery-task-meta-*)'
} >redis_users
chmod 0444 ./*
echo "secrets are in $directory" >&2
