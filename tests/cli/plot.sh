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

# Trainings of networks and searches over them.
for i in 1 2 3 4 5 6; do names="${names:-},strength_$i"; done
{
  echo "epoch,step,rate,train_loss,valid_loss,test_loss,valid_accuracy,test_accuracy,best,seconds$names"
  for i in 1 2 3; do echo "$i,$i,0.1,1.$i,1.1,1.2,0.$i,nan,1,$i,0.1,0.2,0.3,0.4,0.5,$i"; done
} >training.csv
sed 's/,seconds/,seconds,work/; s/,nan,1,\([123]\),/,nan,1,\1,900,/' training.csv >work.csv
run 0 "$bitune" plot training.csv -o training.svg
run 0 "$bitune" plot work.csv -o work.svg
same training.svg work.svg
for text in Accuracy strength_5 "beyond 1"; do check "\"$text\" is missing" grep -q "$text" training.svg; done
{
  echo "epoch,step,rate,train_loss,valid_loss,test_loss,valid_accuracy,test_accuracy,best,seconds,work,rate_1,scale(rate_1)"
  for i in 1 2 3; do echo "$i,$i,0.1,1.$i,1.1,1.2,0.$i,nan,1,$i,900,0.1,1.$i"; done
} >scales.csv
run 0 "$bitune" plot scales.csv -o scales.svg
check "no panel of scales" grep -q "Scales of perturbations" scales.svg
check "a scale is no hyperparameter" sh -c '! grep -q "beyond 1\|scale(rate_1)" scales.svg'
# Three rows of panels, and many names: they stay beside their panels.
awk 'BEGIN {
  printf "epoch,step,rate,train_loss,valid_loss,test_loss,valid_accuracy,test_accuracy,best,seconds,work,length_1"
  for (i = 1; i <= 25; i++) printf ",rate_%d", i
  for (i = 1; i <= 25; i++) printf ",scale(rate_%d)", i
  for (e = 1; e <= 3; e++) {
    printf "\n%d,%d,0.1,1.1,1.1,1.2,0.3,nan,1,%d,900,%d", e, e, e, 10 * e
    for (i = 1; i <= 50; i++) printf ",%g", 0.01 * i
  }
  print ""
}' >many.csv
run 0 "$bitune" plot many.csv -o many.svg
grep -B 1 'text>.*rate_' many.svg | sed -n 's/.*translate(\([0-9.]*\),.*/\1/p' | sort -u >columns
equal "$(wc -l <columns)" 1
printf 'step,epoch,tuning_loss,rate_1\n2,0,1.5,0.3\n4,0,1.4,0.2\n' >schedule.csv
run 0 "$bitune" plot schedule.csv -o schedule.svg
check "no hyperparameter" grep -q rate_1 schedule.svg
{
  echo "trial,epochs,valid_loss,best_loss,failed,total_epochs,rate_1"
  printf '1,2,0.5,0.5,0,2,0.1\n2,0,nan,0.5,1,2,0.9\n3,2,0.4,0.4,0,4,0.2\n'
} >trials.csv
run 0 "$bitune" plot trials.csv -o trials.svg
for text in "best so far" failed "epochs spent"; do check "\"$text\" is missing" grep -q "$text" trials.svg; done
printf 'trial,epochs,valid_loss,best_loss,failed,total_epochs\n1,0,nan,inf,1,0\n' >failed.csv
run 0 "$bitune" plot failed.csv -o failed.svg

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
