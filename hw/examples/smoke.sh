#!/bin/sh
# Two daemons on this machine share one folder as their origin: puts a file through one, reads it
# through both, kills one with -9, reads again, starts it again, reads again, and compares checksums
# each time. Each daemon records its events, which at the end are replayed. Prints one line; exit
# code 0 when all is well.
#
# usage: smoke.sh [DIR]     DIR: where its files go; default: a new folder, removed at the end
#
# FOREBAY_BUILD names the build folder; default: build/ of this source folder.
set -eu

root=$(CDPATH='' cd -- "$(dirname "$0")/../.." && pwd)
build=${FOREBAY_BUILD:-$root/build}
size_mib=24
begin=$(date +%s)

fail() {
    echo "smoke: $*" >&2
    [ ! -s "$work/0.log" ] || tail -n 5 "$work/0.log" "$work/1.log" >&2
    exit 1
}

# Daemons whose process ids are in files, so that a restart is remembered.
stop_all() {
    for node in 0 1; do
        [ ! -f "$work/$node.pid" ] || kill -9 "$(cat "$work/$node.pid")" 2>/dev/null || true
    done
    [ -n "$keep" ] || rm -rf "$work"
}

start() {
    node=$1
    "$build/forebayd" --config "$work/cluster.yaml" --set node="$node" \
        --set client.socket="$work/$node.sock" --set device.path="$work/$node.img" \
        --set record="$work/$node.$starts.events" >>"$work/$node.log" 2>&1 &
    starts=$((starts + 1))
    echo $! >"$work/$node.pid"
    tries=0
    until "$build/forebay" status --socket "$work/$node.sock" >/dev/null 2>&1; do
        tries=$((tries + 1))
        kill -0 "$(cat "$work/$node.pid")" 2>/dev/null || return 1
        [ $tries -lt 200 ] || fail "node $node does not answer"
        sleep 0.05
    done
}

write_config() {
    cat >"$work/cluster.yaml" <<END
schema_version: 1
cluster: smoke
node: 0
members:
  - {id: 0, address: "127.0.0.1:$1"}
  - {id: 1, address: "127.0.0.1:$(($1 + 1))"}
origin: {kind: posix, path: "$work/origin"}
client: {socket: "$work/0.sock"}
device: {path: "$work/0.img"}
core: {memory_size: 64 MiB, device_size: 64 MiB, block_size: 1 MiB}
END
}

# Ports below the range from which the kernel takes its own; others may have them all the same.
start_both() {
    for try in 1 2 3 4 5 6 7 8; do
        write_config $((10000 + ($$ * 37 + try * 1009) % 20000))
        start 0 && start 1 && return 0
        grep -q "Address already in use" "$work/0.log" "$work/1.log" || return 1
        kill -9 "$(cat "$work/0.pid")" 2>/dev/null || true
    done
    return 1
}

read_through() {
    "$build/forebay" get --socket "$work/$1.sock" data/file "$work/read" ||
        fail "node $1 cannot read ($2)"
    sum=$(sha256sum <"$work/read")
    [ "$sum" = "$right" ] || fail "node $1 read other bytes ($2)"
    reads=$((reads + 1))
}

keep=${1-}
work=${1:-$(mktemp -d)}
trap stop_all EXIT
trap 'exit 1' INT TERM
[ -x "$build/forebayd" ] || fail "no forebayd in $build: build it, e.g. with ./forebay --version"
mkdir -p "$work/origin"
dd if=/dev/urandom of="$work/source" bs=1M count=$size_mib 2>/dev/null
right=$(sha256sum <"$work/source")
reads=0
starts=0

start_both || fail "the daemons do not start"
"$build/forebay" put --socket "$work/0.sock" "$work/source" data/file || fail "node 0 cannot write"
[ "$(sha256sum <"$work/origin/data/file")" = "$right" ] || fail "the origin has other bytes"
read_through 0 "first"
read_through 1 "first"
read_through 0 "again"
kill -9 "$(cat "$work/1.pid")"
wait "$(cat "$work/1.pid")" 2>/dev/null || true
read_through 0 "node 1 is dead"
start 1 || fail "node 1 does not start again"
read_through 1 "after its restart"
read_through 0 "after the restart of node 1"
for node in 0 1; do
    pid=$(cat "$work/$node.pid")
    kill "$pid"
    wait "$pid" || fail "node $node did not end cleanly"
    rm "$work/$node.pid"
done
for events in "$work"/*.events; do
    "$build/forebay" replay --events "$events" 2>>"$work/replay.log" ||
        fail "$(tail -n 1 "$work/replay.log")"
done
echo "smoke: fine: a write and $reads reads of $size_mib MiB through 2 daemons, one killed and" \
    "restarted, all checksums equal, 3 recordings replayed alike, $(($(date +%s) - begin)) s"
