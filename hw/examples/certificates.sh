#!/bin/sh
# Makes what TLS between nodes wants: an authority of the cluster's own, and for each node a key and
# a certificate with the name "node-N.CLUSTER".
#
# usage: certificates.sh CLUSTER DIR NODE...     e.g. certificates.sh training /etc/forebay 0 1 2
#
# An authority that is in DIR already is kept, so nodes can be added later. Copy ca.pem, node-N.pem
# and node-N.key to node N, and keep ca.key elsewhere: whoever has it can be any node. Then
#     tls: {certificate: DIR/node-N.pem, key: DIR/node-N.key, ca: DIR/ca.pem}
set -eu

[ $# -ge 3 ] || {
    echo "usage: certificates.sh CLUSTER DIR NODE..." >&2
    exit 2
}
cluster=$1 dir=$2
shift 2
days=825
umask 077
mkdir -p "$dir"

# Runs openssl silently, but for what it says when it fails.
quietly() {
    openssl "$@" >"$dir/openssl.log" 2>&1 || {
        cat "$dir/openssl.log" >&2
        echo "certificates: openssl $1 failed" >&2
        exit 1
    }
    rm -f "$dir/openssl.log"
}

if [ ! -f "$dir/ca.pem" ]; then
    quietly req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $((4 * days)) \
        -subj "/CN=forebay authority of $cluster" -keyout "$dir/ca.key" -out "$dir/ca.pem"
fi
for node in "$@"; do
    name=node-$node
    quietly req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name.$cluster" \
        -keyout "$dir/$name.key" -out "$dir/$name.csr"
    printf 'subjectAltName=DNS:%s.%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$name" "$cluster" \
        >"$dir/$name.ext"
    quietly x509 -req -in "$dir/$name.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
        -days $days -extfile "$dir/$name.ext" -out "$dir/$name.pem"
    rm -f "$dir/$name.csr" "$dir/$name.ext"
done
echo "certificates: $dir/ca.pem, and node-N.pem and node-N.key for $*"
