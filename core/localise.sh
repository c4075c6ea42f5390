#!/bin/sh
# Makes every name of an archive local to it that does not begin with fb_: one object takes the
# place of all, so that what its parts call of each other is found within it.
# usage: localise.sh ARCHIVE LINKER OBJCOPY AR
set -eu
archive=$1
object=$(dirname "$archive")/core_whole.o
"$2" -r -o "$object" --whole-archive "$archive"
"$3" --wildcard --keep-global-symbol='fb_*' "$object"
rm -f "$archive"
"$4" rcs "$archive" "$object"
rm -f "$object"
