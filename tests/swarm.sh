#!/bin/sh
# Runs the swarm for a while, on seeds that nobody has run before unless a first one is given. Fails
# when a seed does, or, from 300 s on, when something that must happen sometimes was never seen.
#
# usage: swarm.sh PROGRAM SECONDS [FIRST_SEED]
set -eu
first=${3-$(($(date +%s) * 1000))}
see_all=--see-all
[ "$2" -ge 300 ] || see_all= # a few seeds need not reach everything
"$1" swarm --first-seed "$first" --seconds "$2" $see_all --minimise
