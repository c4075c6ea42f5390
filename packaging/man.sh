#!/bin/sh
# Writes the man pages, each from the one place where its text stands: the program's table of help,
# the tables of settings, the daemon's --help, and the comments of forebay.h.
# usage: man.sh FOREBAY FOREBAYD FOREBAY_H FOLDER
set -eu
forebay=$1 forebayd=$2 header=$3 folder=$4
version=$("$forebay" --version | awk '{print $2}')

# Text as it stands, for roff: no line that looks like a request, no sign that means one.
escaped() {
    sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\([.']\)/\\\\\&\1/"
}

# page NAME SECTION TITLE WHAT: a page whose text comes on standard input, its layout kept.
page() {
    {
        printf '.TH %s %s "" "forebay %s" "%s"\n' "$1" "$2" "$version" "$3"
        printf '.SH NAME\n%s \\- %s\n.SH DESCRIPTION\n.nf\n' "$1" "$4"
        escaped
        printf '.fi\n.SH SEE ALSO\nforebay(1), forebayd(8), libforebay(3)\n'
    } >"$folder/$1.$2"
}

mkdir -p "$folder"
"$forebay" help --man >"$folder/forebay.1"
"$forebay" help settings --man >"$folder/forebayd.yaml.5"
"$forebayd" --help | page forebayd 8 "System Administration" "a node of the cache"
sed -e '/^#/d' -e '/^extern "C" {$/d' -e '/^}$/d' "$header" |
    page libforebay 3 "Library Functions" "read files and keep KV blocks through forebayd"
