# Pictures of a run, through gnuplot.
. "$(dirname "$0")/lib.sh"

command -v gnuplot >/dev/null 2>&1 || skip "there is no gnuplot"

make_clean
run 0 "$bitune" learn --sigma 25 --train clean --max-outer 5 --quiet --log run.csv -o model.json
run 0 "$bitune" plot run.csv -o run.png
equal "$(cat out)" run.png
"$image_tool" info run.png >info
check "run.png is no picture" grep -qE '^png [0-9]{3,4}x[0-9]{3,4} ' info
run 0 "$bitune" plot run.csv -o run.svg --title "TV & <sigma> 25'" --json
has out output rows
equal "$(field out rows)" 6
check "run.svg is no SVG" grep -q '<svg' run.svg
check "run.svg does not end" grep -q '</svg>' run.svg
check "the title is missing" grep -q 'TV &amp; &lt;sigma' run.svg
for text in loss step work; do check "\"$text\" is missing from the picture" grep -qi "$text" run.svg; done

# A run that still goes on, or was killed in the middle of a row.
head -c "$(($(wc -c <run.csv) - 20))" run.csv >torn.csv
run 0 "$bitune" plot torn.csv -o torn.svg --json
equal "$(field out rows)" 5
head -n 2 run.csv >one.csv
run 0 "$bitune" plot one.csv -o one.png

# No log.
refuse() { refuses 1 "$1: " "$bitune" plot "$1" -o never.png; absent never.png; }
refuse missing.csv
refuse clean
refuse clean/leaves-000.png
: >empty.csv
refuse empty.csv
head -n 1 run.csv >header.csv
refuse header.csv
echo "these are words, not numbers" >words.csv
echo "and more of them" >>words.csv
refuse words.csv
printf 'a,b,c\n1,2,3\n4,5,6\n' >other.csv
refuse other.csv
head -c 3000 /dev/urandom >noise.csv
refuse noise.csv
{ head -n 1 run.csv; printf 'x,y,z\n'; } >text.csv
refuse text.csv

# A text that could mean something to gnuplot or a shell.
run 0 "$bitune" plot run.csv -o title.svg --title "\`touch hacked\` \$(touch hacked) '; system('touch hacked') # \"\\"
absent hacked
cp run.csv "odd ' name.csv"
run 0 "$bitune" plot "odd ' name.csv" -o "odd ' name.svg"
exists "odd ' name.svg"

# Without gnuplot on the path, the package is named.
mkdir bin
refuses 1 "gnuplot-nox" env PATH="$work/bin" "$bitune" plot run.csv -o never.png
absent never.png
no_leftovers

finish
