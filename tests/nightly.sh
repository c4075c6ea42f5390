#!/bin/sh
# What takes too long for each submission, or must be new each time: seeds that nobody has run, all
# planted bugs, daemons killed again and again, names as registers under real faults, fuzzing. Each
# part prints its seed; the next one runs, too, when one has failed. Ends with a line a part; exit
# code 1 if one failed. A part that this machine can't run says skipped.
#
# usage: nightly.sh [--build FOLDER] [--seed N] [--swarm SECONDS] [--mutations NAME,...|all|none]
#                   [--kill ROUNDS] [--register SECONDS] [--fsx SEEDS] [--fuzz SECONDS]
#        0 leaves a part out. Default: build, by the clock, 3600, all, 100, 600, 50, 600 a target
set -u
cd "$(dirname "$0")/.." || exit 1
build=build seed=$(date +%s) swarm=3600 mutations=all kill=100 register=600 fsx=50 fuzz=600
while [ $# -gt 1 ]; do
    case $1 in
    --build) build=$2 ;;
    --seed) seed=$2 ;;
    --swarm) swarm=$2 ;;
    --mutations) mutations=$2 ;;
    --kill) kill=$2 ;;
    --register) register=$2 ;;
    --fsx) fsx=$2 ;;
    --fuzz) fuzz=$2 ;;
    *) break ;;
    esac
    shift 2
done
case $# in
0) ;;
*)
    sed -n '/^# usage/,/^set/p' "$0" | sed '$d; s/^# *//' >&2
    exit 2
    ;;
esac
table="" failures=0

part() { # NAME COMMAND...
    name=$1
    shift
    echo "--- $name: $*"
    begin=$(date +%s)
    code=0
    "$@" || code=$?
    case $code in
    0) said=fine ;;
    77) said=skipped ;;
    *)
        said="FAILED (exit $code): $*"
        failures=$((failures + 1))
        ;;
    esac
    table="$table$name: $(($(date +%s) - begin)) s, $said
"
}

echo "nightly: seed $seed, $build"
[ "$swarm" = 0 ] || part swarm sh tests/swarm/swarm.sh "$build/forebay" "$swarm" "${seed}000"
[ "$swarm" = 0 ] || part beyond sh tests/swarm/swarm.sh "$build/forebay" 3000 200000 100 beyond
case $mutations in
none | 0) ;;
all) part mutations python3 -B tests/mutations/mutations.py --folder "$build/mutations" ;;
*)
    # shellcheck disable=SC2046 # names, a word each
    part mutations python3 -B tests/mutations/mutations.py --folder "$build/mutations" \
        $(echo "$mutations" | tr , ' ')
    ;;
esac
[ "$kill" = 0 ] ||
    part kill python3 -B tests/daemon/hw_kill_test.py "$build" --rounds "$kill" --seed "$seed"
[ "$kill" = 0 ] ||
    part puts python3 -B tests/daemon/hw_standin_test.py "$build" --puts 1000 Writing
[ "$register" = 0 ] ||
    part register python3 -B tests/register/register_test.py "$build" --seconds "$register" \
        --seed "$seed"
[ "$fsx" = 0 ] ||
    part fsx python3 -B tests/daemon/hw_mount_suites_test.py "$build" --seeds "$fsx"
[ "$fuzz" = 0 ] || part fuzz sh tests/fuzz/fuzz.sh "$fuzz"
echo "nightly: seed $seed"
printf '%s' "$table"
[ "$failures" -eq 0 ]
