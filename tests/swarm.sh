#!/bin/sh
# Runs the swarm for a while, or over some seeds; on seeds that nobody has run before unless a first
# one is given. Fails when a seed does, or, from 300 s on, when something that must happen sometimes
# was never seen.
# What fails is printed with its seed, and as a script that is made small.
#
# usage: swarm.sh PROGRAM SECONDS [FIRST_SEED [SEEDS]]
set -eu
first=${3-$(($(date +%s) * 1000))}
seeds=${4:+--seeds $4}
see_all=--see-all
[ "$2" -ge 300 ] && [ -z "$seeds" ] || see_all= # a few seeds need not reach everything
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
code=0
"$1" swarm --first-seed "$first" --seconds "$2" $seeds $see_all --minimise --out "$out" || code=$?
for script in "$out"/*; do
    [ -f "$script" ] || continue
    echo "--- a script of the failure; keep it as tests/swarm/NAME.txt when it is mended:"
    cat "$script"
done
echo "again: forebay swarm --first-seed $first --seconds $2 $seeds $see_all --minimise"
exit $code
