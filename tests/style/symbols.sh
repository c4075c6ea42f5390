#!/bin/sh
# Proves that the core depends on nothing: every undefined symbol of libcore.a is one of its own,
# one of the mem functions or fb_panic; and that it keeps no state of its own: no writable data.
# usage: symbols.sh LIBCORE.a
set -eu
export LC_ALL=C
archive=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -A --undefined-only "$archive" | awk '{print $NF}' | sort -u >"$work/wanted"
nm -A --defined-only --extern-only "$archive" | awk '{print $NF}' | sort -u >"$work/own"
printf '%s\n' fb_panic memcmp memcpy memmove memset | sort >"$work/allowed"
[ -s "$work/own" ] || {
    echo "symbols: $archive defines nothing"
    exit 1
}

code=0
comm -23 "$work/wanted" "$work/own" | comm -23 - "$work/allowed" >"$work/foreign"
while read -r symbol; do
    echo "symbols: $symbol is not allowed; wanted by $(nm -A --undefined-only "$archive" |
        awk -v symbol="$symbol" '$NF == symbol {split($1, place, ":"); print place[2]}' | xargs)"
    code=1
done <"$work/foreign"

size -A "$archive" | awk '
    / *: *\(ex|^[^ ]+\.o/ {object = $1}
    $1 ~ /^\.(data|bss)(\.|$)/ && $1 !~ /^\.data\.rel\.ro/ && $2 > 0 {
        print "symbols: " object " has " $2 " bytes of writable data in " $1
        found = 1
    }
    END {exit found}' || code=1
[ $code -ne 0 ] || echo "symbols: $(wc -l <"$work/own") defined, outside:" \
    "$(comm -23 "$work/wanted" "$work/own" | xargs)"
exit $code
