#!/bin/sh
# Builds everything with other settings in a folder of its own; keeps it: the next time is short.
# usage: build.sh SOURCE FOLDER [CMAKE_ARGUMENT]...     TARGETS="forebay ...": only these
set -eu
source=$1
folder=$2
shift 2
cmake -G Ninja -S "$source" -B "$folder" "$@"
# shellcheck disable=SC2086 # a list of words
ninja -C "$folder" ${TARGETS:-all}
