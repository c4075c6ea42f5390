#!/bin/sh
# Runs the swarm for a while, or over some seeds; on seeds that nobody has run before unless a first
# one is given. Fails when a seed does, or, from 300 s or 1,000 seeds on, when something that must
# happen sometimes was never seen. With "beyond" losses outside of the atlas are counted, and there
# must be some, or the judge is blind; all other checks hold.
# What fails is printed with its seed, and as a script that is made small.
#
# usage: swarm.sh PROGRAM SECONDS [FIRST_SEED [SEEDS [beyond]]]
set -eu
first=${3-$(($(date +%s) * 1000))}
seeds=${4:+--seeds $4}
beyond=${5:+--beyond}
see_all=--see-all
[ "$2" -ge 300 ] && [ "${4:-1000}" -ge 1000 ] || see_all= # a few seeds need not reach everything
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
code=0
"$1" swarm --first-seed "$first" --seconds "$2" $seeds $beyond $see_all --minimise --out "$out" \
    >"$out/said" || code=$?
cat "$out/said"
for script in "$out"/*.txt; do
    [ -f "$script" ] || continue
    echo "--- a script of the failure; keep it as tests/swarm/NAME.txt when it is mended:"
    cat "$script"
done
if [ -n "$beyond" ] && ! grep -q '^[1-9][0-9]* losses beyond the atlas$' "$out/said"; then
    echo "no losses beyond the atlas: the judge sees none, or the plans are none that lose"
    code=1
fi
echo "again: forebay swarm --first-seed $first --seconds $2 $seeds $beyond $see_all --minimise"
exit $code
