#!/bin/sh
# Static analysis of all C sources; any finding of these classes fails. 77: there is no cppcheck.
set -eu
command -v cppcheck >/dev/null || {
    echo "cppcheck: skipped: cppcheck is not installed"
    exit 77
}
cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -I . -j "$(nproc)" \
    --enable=warning,portability,performance --suppress=missingIncludeSystem \
    --suppress=unknownMacro base core sim models results cli hw client
