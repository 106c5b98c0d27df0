# The number of processes changes nothing but the time: identical files and parameters from 1, 2, 3, 4 and 9.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/everything.sh"

everything one 1 "$bitune"
for n in 2 3 4 9; do
  everything jobs$n $n "$bitune"
  same_everything one jobs$n
done
finish
