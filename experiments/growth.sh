#!/bin/sh
# How time and memory of a simulation grow with its nodes: `forebay bench scale` at five sizes and a
# picture.
#
# usage: experiments/growth.sh FOLDER, which then has growth.json, growth.dat and growth.svg
set -eu
folder=${1:?usage: growth.sh FOLDER}
cd "$(dirname "$0")/.."
mkdir -p "$folder"
./build/forebay bench scale --json --hosts ${2:-1000,4000,16000,64000,100000} >"$folder/growth.json"
python3 - "$folder" <<'END'
import json
import sys

folder = sys.argv[1]
with open(folder + "/growth.json", encoding="utf-8") as file:
    figures = json.load(file)
names = ("nodes", "wall_s", "processor_s", "rss_bytes", "start_s")
with open(folder + "/growth.dat", "w", encoding="utf-8") as file:
    file.write("# " + " ".join(names) + "\n")
    for row in zip(*(figures[name] for name in names)):
        file.write(" ".join(format(value, ".10g") for value in row) + "\n")
END
gnuplot <<END
set terminal svg size 760,300 dynamic font 'Helvetica,13' background '#ffffff'
set output '$folder/growth.svg'
set border 3 lc rgb '#888888'
set tics nomirror out scale 0.5 textcolor rgb '#333333'
set grid ytics lc rgb '#e4e4e4' lw 1
set logscale xy
set key left top
set multiplot layout 1,2
set xlabel 'nodes'
set xtics (1000, 4000, 16000, 64000)
set ylabel 's'
first = '< head -2 $folder/growth.dat | tail -1'
plot '$folder/growth.dat' using 1:3 with linespoints lw 2 pt 7 lc rgb '#0072b2' \
         title 'processor time', \
     '' using 1:2 with linespoints lw 1 pt 6 lc rgb '#009e73' title 'wall time', \
     first using 1:3:(99000):(99*\$3) with vectors nohead dt 2 lc rgb '#888888' title 'linear'
set ylabel 'GiB'
gib(bytes) = bytes / 2**30
plot '$folder/growth.dat' using 1:(gib(\$4)) with linespoints lw 2 pt 7 lc rgb '#d55e00' \
         title 'peak memory', \
     first using 1:(gib(\$4)):(99000):(99*gib(\$4)) with vectors nohead dt 2 lc rgb '#888888' \
         title 'linear'
unset multiplot
END
