# Delta-STN ends no worse than random search with ten times its budget: a perceptron, convolutions and an LSTM with six
# hyperparameters each (tests/bench/tasks); and replaying the schedule it found needs no tuner.
. "$(dirname "$0")/lib.sh"

for task in tune-mlp tune-cnn tune-lstm; do
  file=$source_folder/tests/bench/tasks/$task.json
  run 0 "$bitune" nn train --task "$file" --tuner dstn --threads 1 --schedule $task.csv --json
  tuned=$(field out valid_loss) epochs=$(field out epochs)
  run 0 "$bitune" nn search --task "$file" --trials 10 --threads 1 -o $task --json
  equal "$(field out epochs)" "$((10 * epochs))"
  echo "$task: $tuned with $epochs epochs, random search $(field out valid_loss)"
  holds "$tuned <= $(field out valid_loss)"
  run 0 "$bitune" nn train --task "$file" --threads 1 --json
  fixed=$(field out valid_loss)
  holds "$tuned < $fixed"
done

# Of the last task: the schedule found, without the tuner.
run 0 "$bitune" nn train --task "$file" --threads 1 --replay $task.csv --json
holds "$(field out valid_loss) < $fixed"

finish
