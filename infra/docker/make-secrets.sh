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

for name in redis_password postgres_password grafana_password; do
    [ -s "$name" ] || new_password >"$name"
done
[ -s flower_users ] || printf 'crucible:%s\n' "$(new_password)" >flower_users

# written anew each time, so that a changed password is changed everywhere
rm -f broker_url database_url
printf 'redis://:%s@redis:6379/0\n' "$(cat redis_password)" >broker_url
printf 'postgresql://crucible:%s@postgres:5432/crucible\n' "$(cat postgres_password)" >database_url
chmod 0444 ./*
echo "secrets are in $directory" >&2
