#!/bin/sh
# Proves that the shipped experiments that take seconds still answer as their files expect: each is
# run with one seed and its checks are evaluated. The others take minutes: run them by hand with
# `forebay run FILE --expect` after a change of the core. Figures of docs/findings.md that the
# first seed gives otherwise by a twentieth are a failure: it is to be kept anew
# (experiments/findings.py --keep).
#
# usage: experiments.sh FOREBAY
set -eu
forebay=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$(dirname "$0")/../.."
failures=0
for name in quickstart training-read training-batch kv-cache policies restart checkpoint-levels \
    fan-in-read erasure mixed kv-layers recover overwrite; do
    if "$forebay" run "experiments/$name.yaml" --seeds 1 --expect --out "$folder/$name" \
        >"$folder/log" 2>&1; then
        if grep -q "Not drawn" "$folder/$name/report.html"; then
            echo "$name: a figure of its report is not drawn"
            failures=$((failures + 1))
        else
            echo "$name: as expected"
            python3 -B experiments/findings.py --compare "$folder/$name" ||
                failures=$((failures + 1))
        fi
    else
        echo "$name: failed"
        grep -v '%$' "$folder/log"
        failures=$((failures + 1))
    fi
done
exit $((failures > 0))
