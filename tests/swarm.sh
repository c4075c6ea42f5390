#!/bin/sh
# Runs the swarm for a while on seeds that nobody has run before, and prints them. Fails when a seed
# does, or when one of the things that must happen sometimes was never seen.
#
# usage: swarm.sh PROGRAM SECONDS [FIRST_SEED]
set -eu
first=${3-$(($(date +%s) * 1000))}
"$1" swarm --first-seed "$first" --seconds "$2" --see-all --minimise
