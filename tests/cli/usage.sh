# A wrong command line: exit code 2 and one line that says what is wrong, before anything is done.
. "$(dirname "$0")/lib.sh"

make_model
wrong() {
  text=$1
  shift
  refuses 2 "$text" "$bitune" "$@"
  check "something on stdout of: $*" [ ! -s out ]
}

wrong 'no command given'
wrong 'unknown command "lern"; did you mean learn?' lern
wrong 'unknown command "xyzzy"; "bitune help" lists them' xyzzy
wrong 'no command "denose"; did you mean denoise?' help denose
wrong '--json stands before the command' --json learn

wrong 'unknown option --simga; did you mean --sigma?' learn --simga 25
wrong 'did you mean --max-outer?' learn --max-outr 3
wrong 'unknown option' learn --xyzzy-plugh
wrong 'unknown option' eval -z
wrong '(see "bitune help learn")' learn --xyzzy-plugh
wrong '--model' eval --model
wrong '--output' denoise --model model.json clean -o
wrong '--json' eval --model model.json --json=maybe clean

wrong '--train is required' learn --sigma 25 -o m.json
wrong '--sigma is required' learn --train clean -o m.json
wrong '--output is required' learn --sigma 25 --train clean
wrong '--model is required' eval clean
wrong '--model is required' check clean
wrong '--output is required' denoise --model model.json clean
wrong '--sigma is required' noise -o out.d clean
wrong '--output is required' noise --sigma 25 clean
wrong '--output is required' synth
wrong '--output is required' plot run.csv

# Numbers.
for sigma in 0 -1 -0.0 nan NaN inf -inf 1e999 25x x '' ' ' 0x; do
  wrong --sigma learn --sigma "$sigma" --train clean -o m.json
  wrong --sigma eval --model model.json --sigma "$sigma" clean
  wrong --sigma noise --sigma "$sigma" -o out.d clean
done
for tol in 0 -1e-3 nan; do wrong --tol denoise --model model.json -o out.d --tol $tol clean; done
for seed in -1 1.5 x 99999999999999999999; do wrong --seed noise --sigma 5 --seed $seed -o out.d clean; done
for jobs in -1 1.5 x 5000; do wrong --jobs eval --model model.json --jobs $jobs clean; done
for crop in 0 -3 96x 96x0 x96 96x96x96 96.5 99999999999999999999x3 abc ''; do
  wrong --crop learn --sigma 25 --train clean -o m.json --crop "$crop"
done
for size in 0 0x5 -1x5 abc; do wrong --size synth -o out.d --size $size; done
for count in 0 -1 2000000; do wrong --count synth -o out.d --count $count; done
wrong '--pages needs --format tif' synth -o out.d --pages 3
wrong --images learn --sigma 25 --train clean -o m.json --images -1
for option in eps0 delta0 alpha0 tolerance; do
  for number in 0 -1 nan; do wrong --$option learn --sigma 25 --train clean -o m.json --$option $number; done
done
for option in rho nu eta lambda; do wrong --$option learn --sigma 25 --train clean -o m.json --$option 1; done
wrong '--lambda must be less than --eta' learn --sigma 25 --train clean -o m.json --lambda 0.6
wrong --max-outer learn --sigma 25 --train clean -o m.json --max-outer -1

# Choices.
wrong --regularizer learn --sigma 25 --train clean -o m.json --regularizer tw
wrong --variant learn --sigma 25 --train clean -o m.json --variant square
wrong --method learn --sigma 25 --train clean -o m.json --method magic
wrong --color denoise --model model.json -o out.d --color cmyk clean
wrong --kind synth -o out.d --kind tree
wrong --format noise --sigma 25 --format gif -o out.d clean
wrong '.png, .svg or .pdf' plot run.csv -o run.gif

# Operands.
wrong 'needs' eval --model model.json
wrong 'needs' denoise --model model.json -o out.d
wrong 'needs' plot -o run.png
wrong '"extra" is too many' learn --sigma 25 --train clean -o m.json extra
wrong '"two.csv" is too many' plot -o run.png one.csv two.csv
wrong 'too many' synth -o out.d extra
wrong 'too many' version extra
wrong 'fish' completion tcsh

absent m.json out.d

# Settings that a table cannot judge are errors of usage all the same.
for start in 1 1,2,3 x,y 1,nan 1000,-5 '-3;-5'; do
  wrong --start learn --sigma 25 --train clean -o m.json --start="$start"
done
wrong 'no lower-level solver "xyzzy"' learn --sigma 25 --train clean -o m.json --solver xyzzy
wrong 'no lower-level solver "xyzzy"' eval --model model.json --solver xyzzy clean
wrong 'no lower-level solver "xyzzy"' denoise --model model.json -o out.d --solver xyzzy clean
wrong '--eps0' learn --sigma 25 --train clean -o m.json --eps0 1e-6 --eps-floor 1e-3
absent m.json

# What looks odd and is right.
run 0 "$bitune" eval --model=model.json --sigma=2.5e1 --quiet -- clean
cp clean/leaves-000.png ./-dash.png
run 0 "$bitune" eval --model model.json --quiet -- -dash.png
run 0 "$bitune" eval --model model.json --quiet ./-dash.png
run 0 "$bitune" learn --sigma 25 --train clean/leaves-000.png --crop 500x500 --max-outer 1 --quiet -o m.json
run 0 "$bitune" learn --sigma 25 --train clean --max-outer 0 --quiet -o m.json
run 0 "$bitune" synth --size 1x1 --quiet -o one
run 0 "$bitune" eval --model model.json --json one
equal "$(field out ssim_mean)" null

finish
