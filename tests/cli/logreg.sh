# Logistic regression from each kind of data: learn, predict, eval; a resumed run equals the unbroken one; faults.
. "$(dirname "$0")/lib.sh"

# Three classes around different points, label last.
awk 'BEGIN {
  srand(3)
  print "x,y,z,kind"
  for (i = 0; i < 300; i++) {
    k = i % 3
    printf "%.6f,%.6f,%.6f,%d\n", rand() + (k == 0), rand() + (k == 1), rand(), 5 * k - 1
  }
}' >points.csv
sed 1d points.csv | awk -F, '{ printf "%d 1:%s 2:%s 3:%s\n", $4, $1, $2, $3 }' >points.svm
sed 1d points.csv | awk -F, '{ print $4 "," $1 "," $2 "," $3 }' | gzip >first.csv.gz

# A folder of MNIST's kind: 60 + 20 images of 4 x 4, a bright quarter for each of 4 classes.
idx() {
  awk -v part="$1" -v n="$2" 'BEGIN {
    srand(length(part))
    images = part "-images-idx3-ubyte.txt"
    labels = part "-labels-idx1-ubyte.txt"
    printf "0 0 8 3 0 0 0 %d 0 0 0 4 0 0 0 4", n >images
    printf "0 0 8 1 0 0 0 %d", n >labels
    for (i = 0; i < n; i++) {
      k = i % 4
      printf " %d", k >labels
      for (r = 0; r < 4; r++)
        for (c = 0; c < 4; c++) printf " %d", int(80 * rand()) + ((r > 1) * 2 + (c > 1) == k ? 120 : 0) >images
    }
  }'
  for what in images-idx3 labels-idx1; do
    # shellcheck disable=SC2059,SC2046 # bytes as octal escapes
    for byte in $(cat "$1-$what-ubyte.txt"); do printf "\\$(printf %o "$byte")"; done >"$1-$what-ubyte"
    rm "$1-$what-ubyte.txt"
  done
}
mkdir digits
(cd digits && idx train 60 && idx t10k 20 && gzip train-images-idx3-ubyte)

# The same data in three forms give the same model.
learn() { "$bitune" logreg learn --max-outer 5 --quiet "$@"; }
run 0 learn --data points.csv -o csv.json --log log.csv
run 0 learn --data points.svm -o svm.json
run 0 learn --data first.csv.gz --label first -o first.json
for other in svm first; do
  equal "$(field csv.json weights)" "$(field $other.json weights)"
  equal "$(field csv.json theta)" "$(field $other.json theta)"
done
equal "$(field csv.json theta.#)" 9
equal "$(field csv.json labels)" "[-1,4,9]"
has csv.json training.valid_loss training.test_loss training.test_accuracy training.lower_gradients training.seconds
check "no rows in the log" [ "$(wc -l <log.csv)" -ge 2 ]
holds "$(field csv.json training.test_accuracy) > 0.7"
holds "$(field csv.json training.valid_loss) < 0.9"
equal "$(field csv.json training.certificate)" proven

# eval finds the rows again.
run 0 "$bitune" logreg eval csv.json points.csv --json
for score in valid_loss test_loss test_accuracy train_loss; do
  holds "sqrt(($("$json_get" out $score) - $(field csv.json training.$score))^2) < 1e-12"
done
equal "$("$json_get" out learned_from_these)" true
equal "$("$json_get" out lower_gradients)" "$(field csv.json training.lower_gradients)"
run 0 "$bitune" logreg eval csv.json first.csv.gz --label first --json
equal "$("$json_get" out learned_from_these)" true
head -n 50 points.csv >some.csv
run 0 "$bitune" logreg eval csv.json some.csv --json
equal "$("$json_get" out learned_from_these)" false
equal "$("$json_get" out test_rows)" 49

# predict: probabilities that sum to one, the most probable class, with and without labels.
run 0 "$bitune" logreg predict csv.json points.csv -o predictions.csv
equal "$(head -n 1 predictions.csv)" "row,label,predicted,p_-1,p_4,p_9"
equal "$(wc -l <predictions.csv)" 301
check "probabilities or classes are wrong" awk -F, 'NR > 1 {
  s = $4 + $5 + $6; if (s < 0.999999 || s > 1.000001) exit 1
  best = $4 >= $5 && $4 >= $6 ? -1 : $5 >= $6 ? 4 : 9; if (best != $3) exit 1
  right += $2 == $3
} END { if (right < 225) exit 1 }' predictions.csv
cut -d, -f1-3 points.csv >bare.csv
run 0 "$bitune" logreg predict csv.json bare.csv --label none -o bare_predictions.csv
cut -d, -f1,3- predictions.csv >wanted.csv
same wanted.csv bare_predictions.csv

# Images, resized and standardised; every kind of ridge, method and lower-level loss.
run 0 learn --data digits --resize 2x2 --standardise -o digits.json --json
equal "$("$json_get" out test_rows)" 20
equal "$("$json_get" out parameters)" 16
holds "$("$json_get" out test_accuracy) > 0.9"
run 0 "$bitune" logreg eval digits.json digits --json
holds "sqrt(($("$json_get" out test_loss) - $(field digits.json training.test_loss))^2) < 1e-12"
holds "sqrt(($("$json_get" out valid_loss) - $(field digits.json training.valid_loss))^2) < 1e-12"
run 0 "$bitune" logreg predict digits.json digits -o digits.csv
equal "$(wc -l <digits.csv)" 21
for ridge in one class feature coefficient; do
  "$bitune" logreg learn --max-outer 3 --quiet --data digits --ridge $ridge -o ridge.json
  case $ridge in one) p=1 ;; class) p=4 ;; feature) p=16 ;; coefficient) p=64 ;; esac
  equal "$(field ridge.json theta.#)" $p
done
for method in maid maid-plain fixed; do
  "$bitune" logreg learn --max-outer 2 --quiet --data points.csv --method $method --lower-loss sum -o method.json
  has method.json training.valid_loss
done

# Any number of processes, and a resumed run, come to the same numbers.
run 0 "$bitune" logreg learn --data points.csv --quiet --jobs 1 -o unbroken.json --log unbroken.csv
for jobs in 2 3; do
  run 0 "$bitune" logreg learn --data points.csv --quiet --jobs $jobs -o jobs.json --log jobs.csv
  equal "$(field unbroken.json weights)" "$(field jobs.json weights)"
  same_course unbroken.csv jobs.csv
done
"$bitune" logreg learn --data points.csv --quiet --max-outer 2 --checkpoint run.ckpt -o part.json --log part.csv
exists run.ckpt
run 0 "$bitune" logreg learn --data points.csv --quiet --resume run.ckpt --jobs 2 -o whole.json --log part.csv
equal "$(field unbroken.json weights)" "$(field whole.json weights)"
equal "$(field unbroken.json theta)" "$(field whole.json theta)"
same_course unbroken.csv part.csv
refuses 1 "split" "$bitune" logreg learn --data points.csv --seed 2 --quiet --resume run.ckpt -o never.json
refuses 1 "not a safetensors file" "$bitune" logreg learn --data points.csv --quiet --resume log.csv -o never.json
run 0 "$bitune" logreg learn --data points.csv --quiet --max-seconds 1e-6 --tolerance 1e-12 -o hurried.json
equal "$(field hurried.json training.reason)" "time used up"

# Faults.
refuses 2 "--data is required" "$bitune" logreg learn -o never.json
refuses 2 "--output is required" "$bitune" logreg learn --data points.csv
refuses 2 "it knows learn, predict and eval" "$bitune" logreg teach
refuses 2 "MODEL.json DATA" "$bitune" logreg predict csv.json -o p.csv
refuses 2 "--output is required" "$bitune" logreg predict csv.json points.csv
refuses 2 "needs labels" "$bitune" logreg learn --data points.csv --label none -o never.json
refuses 2 "isgd" "$bitune" logreg learn --data points.csv --method isgd -o never.json
refuses 2 "--resize" "$bitune" logreg learn --data digits --resize 2y -o never.json
refuses 1 "only images" learn --data points.csv --resize 2x2 -o never.json
refuses 1 "not up" learn --data digits --resize 9x9 -o never.json
refuses 1 "too few" learn --data points.csv --train 290 -o never.json
refuses 1 "nowhere" learn --data nowhere -o never.json
refuses 1 "overwritten" learn --data points.csv -o points.csv
refuses 1 "nowhere/m.json: cannot write" learn --data points.csv -o nowhere/m.json
awk 'NR > 1 { print "1e300," NR "," NR % 2 }' points.csv >huge.csv
refuses 1 "huge.csv: row 1 has a feature of 1e+300" learn --data huge.csv -o never.json
refuses 1 "would be written twice" learn --data points.csv -o same.json --log same.json
printf '1,2,0\n1,2\n' >ragged.csv
refuses 1 "ragged.csv: line 2 has 2 columns instead of 3" learn --data ragged.csv -o never.json
printf '1,2,0\n1,b,1\n' >text.csv
refuses 1 "text.csv: line 2, column 2" learn --data text.csv -o never.json
printf '1 2:1 1:1\n2 1:1\n' >order.svm
refuses 1 "order.svm: line 1" learn --data order.svm -o never.json
mkdir cut && cp digits/* cut && head -c 20 digits/train-labels-idx1-ubyte >cut/train-labels-idx1-ubyte
refuses 1 "train-labels-idx1-ubyte: truncated" learn --data cut -o never.json
refuses 1 "features" "$bitune" logreg eval digits.json points.csv
printf '1,2,3\n' >whole.csv
refuses 1 "--label none" "$bitune" logreg predict csv.json whole.csv -o never.csv
sed 's/,9$/,8/' points.csv >others.csv
refuses 1 "has the label 8" "$bitune" logreg eval csv.json others.csv
refuses 1 "is an input" "$bitune" logreg predict csv.json points.csv -o csv.json

# Model files with one thing wrong.
broken() { # TEXT SED_EXPRESSION
  sed "$2" csv.json >broken.json
  check "$2 changes nothing" sh -c '! cmp -s csv.json broken.json'
  refuses 1 "$1" "$bitune" logreg eval broken.json points.csv
}
broken "format" 's/bitune-logreg-model/another/'
broken "newer" 's/"version": 1/"version": 2/'
broken "features" 's/"features": 3/"features": 0/'
broken "weights has" 's/"features": 3/"features": 4/'
broken "ridge" 's/"ridge": "coefficient"/"ridge": "none"/'
broken "theta" 's/"ridge": "coefficient"/"ridge": "class"/'
broken "lower_loss" 's/"lower_loss": "mean"/"lower_loss": "median"/'
broken "labels" 's/^    -1,$/    7,/'
broken "split" 's/"split"/"spilt"/'
broken "train" 's/"train": 192,/"train": 0,/'
head -c 300 csv.json >broken.json
refuses 1 "broken.json" "$bitune" logreg eval broken.json points.csv
refuses 1 "format" "$bitune" logreg eval "$source_folder/data/models/tv-25.json" points.csv

absent never.json never.csv
no_leftovers

# The paper's data, where they are: a few steps at reduced size.
if [ -n "${BITUNE_DATA:-}" ] && [ -d "$BITUNE_DATA/mnist" ]; then
  run 0 "$bitune" logreg learn --data "$BITUNE_DATA/mnist" --resize 6x6 --train 2000 --ridge one --quiet -o mnist.json
  equal "$(field mnist.json training.test_rows)" 10000
  holds "$(field mnist.json training.test_accuracy) > 0.8"
fi
finish
