# Under mpirun an error is told once and ends every rank, and an unreadable image does not stop the others.
. "$(dirname "$0")/../cli/lib.sh"
. "$(dirname "$0")/lib.sh"

# tells_once TEXT: one line of bitune on stderr has it (mpirun adds lines of its own on failure).
tells_once() {
  says "$1"
  equal "$(grep -cF -- "$1" err)" 1
}

make_model
run 1 ranks 3 "$bitune" eval --model nowhere.json clean
tells_once "nowhere.json"
run 2 ranks 2 "$bitune" eval --modell model.json clean
tells_once "--modell"
run 1 ranks 2 "$bitune" learn --sigma 25 --train nowhere -o never.json
tells_once "nowhere"
absent never.json

mkdir damaged
cp clean/*.png damaged
head -c 300 clean/leaves-001.png >damaged/leaves-001.png
run 1 ranks 2 "$bitune" denoise --model model.json --json -o restored damaged
tells_once "leaves-001.png"
equal "$("$json_get" out images)" 3
equal "$(field out failed.0)" damaged/leaves-001.png
exists restored/leaves-000.png restored/leaves-002.png restored/leaves-003.png
absent restored/leaves-001.png
no_leftovers

run 3 ranks 2 "$bitune" eval --model model.json --tol 1e-300 --quiet clean
run 1 ranks 2 "$bitune" learn --sigma 25 --train damaged --max-outer 2 --quiet -o three.json
tells_once "leaves-001.png"
equal "$(field three.json training.images)" 3

finish
