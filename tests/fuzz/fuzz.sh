#!/bin/sh
# Looks for inputs that crash: runs each fuzz target for a while, one after the other, from the kept
# corpus, from what earlier runs have found (FOLDER/found) and, for yaml, from the experiments and
# examples that there are. A crash is left in FOLDER/crashes, with the command that repeats it; fix
# it, and keep the input in tests/fuzz/corpus/NAME.
# Prints a line per target: seconds, executions, edges covered, crashes. Exit code 1: a crash.
#
# usage: fuzz.sh [SECONDS] [TARGET]...     default: 3600 each, all targets
#        FOLDER=build/fuzz is where the targets are built, with clang. Run it with nice -n 19.
# An input of more than 300 s is a crash, too. It is wall time: beside other work with a better
# niceness some inputs of 1 ms took 29 s.
set -eu
seconds=${1:-3600}
[ $# -eq 0 ] || shift
folder=${FOLDER:-build/fuzz}
here=$(dirname "$0")
CC=clang CXX=clang++ cmake -G Ninja -B "$folder" -DFUZZ=ON -DUNITS_ONLY=ON -DWITH_FUSE=OFF \
    "$here/../.." >"$folder.log" 2>&1 || { cat "$folder.log"; exit 1; }
if [ $# -eq 0 ]; then
    for source in "$here"/fuzz_*.c; do
        name=$(basename "$source" .c)
        set -- "$@" "${name#fuzz_}"
    done
fi
mkdir -p "$folder/crashes"
failures=0
for target in "$@"; do
    ninja -C "$folder" "fuzz_$target" >>"$folder.log" 2>&1 || { tail "$folder.log"; exit 1; }
    found=$folder/found/$target seeds=$folder/seeds/$target log=$folder/$target.log
    mkdir -p "$found" "$seeds"
    [ "$target" != yaml ] ||
        cp "$here"/../../experiments/*.yaml "$here"/../../hw/examples/*.yaml "$seeds"
    begin=$(date +%s)
    verdict=fine
    LSAN_OPTIONS=suppressions=$here/../style/leaks_of_others.txt:print_suppressions=0 \
        "$folder/tests/fuzz_$target" -max_total_time="$seconds" -timeout=300 \
        -max_len=8192 -rss_limit_mb=3000 -print_final_stats=1 \
        -artifact_prefix="$folder/crashes/$target-" \
        "$found" "$here/corpus/$target" "$seeds" >"$log" 2>&1 || verdict=CRASH
    took=$(($(date +%s) - begin))
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    echo "$target: $took s, ${executions:-?} executions, ${edges:-?} edges: $verdict"
    if [ "$verdict" != fine ]; then
        grep -E 'SUMMARY|assertion failed|Test unit written|ERROR' "$log" || true
        failures=1
    fi
done
exit $failures
