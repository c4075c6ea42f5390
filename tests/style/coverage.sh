#!/bin/sh
# How much of core/ the quick units run, the swarm's among them: lines and branches, a row per file.
# It fails below 95% of lines or 85% of branches. 77: gcovr is not installed.
# Lines with FB_ASSERT do not count among the branches: their other way must never be taken.
#
# usage: coverage.sh      FOLDER=build/coverage is where the counted build is made
set -eu
gcovr=${GCOVR:-gcovr}
command -v "$gcovr" >/dev/null || {
    echo "coverage: skipped: gcovr is not installed: apt-get install gcovr, or set GCOVR"
    exit 77
}
table=--branches # gcovr's way to ask for the table of branches before version 7
if "$gcovr" --help | grep -q -e --txt-metric; then table=--txt-metric=branch; fi
cd "$(dirname "$0")/../.."
folder=${FOLDER:-build/coverage}
mkdir -p "$folder"
cmake -G Ninja -B "$folder" -DUNITS_ONLY=ON -DWITH_HW=OFF -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_FLAGS="--coverage -O1" -DCMAKE_CXX_FLAGS="--coverage -O1" >"$folder.log" 2>&1 &&
    ninja -C "$folder" >>"$folder.log" 2>&1 || { tail "$folder.log"; exit 1; }
find "$folder" -name '*.gcda' -delete
ctest --test-dir "$folder" -j2 -L quick >>"$folder.log" 2>&1 ||
    { tail -n 20 "$folder.log"; exit 1; }
"$gcovr" --root . "$folder/core" --filter core/ --exclude-branches-by-pattern '.*FB_ASSERT.*' \
    "$table" --print-summary --fail-under-line 95 --fail-under-branch 85
