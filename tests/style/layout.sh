#!/bin/sh
# Proves that every C file is laid out as .clang-format says. 77: there is no clang-format.
set -eu
command -v clang-format >/dev/null || {
    echo "layout: skipped: clang-format is not installed"
    exit 77
}
git ls-files '*.c' '*.h' '*.cpp' | xargs clang-format --dry-run --Werror
