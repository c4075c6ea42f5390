#!/bin/sh
# Runs a unit under valgrind: no branch and no address may depend on bytes that nobody wrote, which
# the address sanitizer does not see. Leaks are that sanitizer's. 77: valgrind is not installed.
# usage: memcheck.sh UNIT
set -eu
command -v valgrind >/dev/null || {
    echo "memcheck: skipped: valgrind is not installed: apt-get install valgrind"
    exit 77
}
exec valgrind -q --error-exitcode=1 --leak-check=no "$1"
