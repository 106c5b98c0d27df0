# On a terminal progress is drawn on stderr and wiped off again; elsewhere, and with --quiet, there is none.
. "$(dirname "$0")/lib.sh"

script -qec true /dev/null >/dev/null 2>&1 </dev/null || skip "there is no script (util-linux) to make a terminal"
make_model
"$bitune" synth --size 96x96 --count 6 --seed 3 --quiet -o photos

# on_terminal COMMAND: run with stderr on a terminal, whose text is then in err; stdout is a file.
cat >program.sh <<'END'
"$BITUNE" "$@" >out
END
on_terminal() {
  export BITUNE
  run 0 script -qec "sh program.sh $*" /dev/null
  # What script showed is what the terminal got.
  tr '\r' '\n' <"$work/out" >"$work/screen"
}

# program.sh writes to out in the present folder, which must not be the one that run uses.
mkdir terminal
cp -r photos model.json program.sh terminal
cd terminal || exit 1
on_terminal eval --model model.json photos
check "no progress bar" grep -q 'images \[#* *\.*\].*/6' ../screen
check "progress on stdout" [ "$(grep -c '\[' out)" -eq 0 ]
check "no results" grep -q 'mean of 6 images' out
check "the bar stays on the screen" [ "$(tail -n 1 ../screen | tr -d '\033' | sed 's/\[K//g' | tr -d '[:space:]' | wc -c)" -eq 0 ]
on_terminal learn --sigma 25 --train photos --tolerance 1e-6 -o m.json
check "no line of the iteration" grep -q 'iteration .*loss .* in \[' ../screen
on_terminal eval --model model.json --quiet photos
check "--quiet shows progress" [ ! -s ../screen ]
cd .. || exit 1

run 0 "$bitune" eval --model model.json photos
check "progress without a terminal" [ ! -s err ]

finish
