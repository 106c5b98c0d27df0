# Sums in the order of items over MPI ranks: fewer ranks than items, as many, and more.
. "$(dirname "$0")/../cli/lib.sh"
. "$(dirname "$0")/lib.sh"

for n in 1 2 3; do
  run 0 ranks $n "$BITUNE_MPI_TOOLS/team_sums" 5
done
run 0 ranks 3 "$BITUNE_MPI_TOOLS/team_sums" 2

finish
