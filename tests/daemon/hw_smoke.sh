#!/bin/sh
# Runs hw/examples/smoke.sh with a build. 77: io_uring is not to be had here.
# usage: hw_smoke.sh BUILD
set -eu
here=$(dirname "$0")
if ! FOREBAY_BUILD=$1 "$here/../../hw/examples/smoke.sh" >"${TMPDIR:-/tmp}/smoke.$$" 2>&1; then
    cat "${TMPDIR:-/tmp}/smoke.$$"
    grep -q "forebayd: io_uring:" "${TMPDIR:-/tmp}/smoke.$$" && code=77 || code=1
    rm -f "${TMPDIR:-/tmp}/smoke.$$"
    exit $code
fi
cat "${TMPDIR:-/tmp}/smoke.$$"
rm -f "${TMPDIR:-/tmp}/smoke.$$"
