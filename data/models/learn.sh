#!/bin/sh
# Learns the models of this folder; one command a model.
#
#   data/models/learn.sh NAME SIGMA TRAIN      NAME: tv, foe-convex, foe; TRAIN: folder of clean images
#   data/models/learn.sh all TRAIN             every model at every level
#
# NAME-SIGMA.json and NAME-SIGMA.log.csv are written to $BITUNE_OUTPUT (by default this folder); a run that was broken off
# goes on where it was. BITUNE names the program, BITUNE_JOBS its processes. Fields of experts at 25 are learned from the
# regularizer's own start, at other levels from the model at 25, which must be there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bitune=${BITUNE:-$here/../../build/bin/bitune}
output=${BITUNE_OUTPUT:-$here}
levels='25 5 15 50'

# learn NAME SIGMA OPTIONS …: with the log beside the model (of many iterations every tenth) and a checkpoint that is removed
# at the end.
learn() {
  stem=$output/$1-$2
  sigma=$2
  shift 2
  resume=
  [ ! -e "$stem.ckpt" ] || resume=--resume
  "$bitune" learn --sigma "$sigma" --train "$train" --jobs "${BITUNE_JOBS:-0}" --log "$stem.log.csv" \
    ${resume:---checkpoint} "$stem.ckpt" "$@" -o "$stem.json"
  awk 'NR < 200 || NR % 10 == 2' "$stem.log.csv" >"$stem.log.part"
  mv "$stem.log.part" "$stem.log.csv"
  rm -f "$stem.ckpt"
}

# Short runs at the other levels: what the model at 25 became in many iterations changes little.
# The options of ISGD for NAME at SIGMA with ITERATIONS at 25.
schedule() {
  if [ "$2" = 25 ]; then
    echo "--iterations $3 --rate 0.05"
  else
    echo "--start $output/$1-25.json --iterations 600 --rate 0.03"
  fi
}

tv() { learn tv "$1" --regularizer tv --variant isotropic --images 100; }

# shellcheck disable=SC2046
foe_convex() {
  learn foe-convex "$1" --regularizer foe --variant convex --batch 6 --crop 128x128 --accuracy 0.001 \
    --adjoint-accuracy 0.05 $(schedule foe-convex "$1" 1500)
}

# shellcheck disable=SC2046
foe() {
  learn foe "$1" --regularizer foe --variant weak --batch 6 --crop 128x128 --accuracy 0.004 \
    --adjoint-accuracy 0.05 $(schedule foe "$1" 4000)
}

one() {
  case $1 in
    tv) tv "$2" ;;
    foe-convex) foe_convex "$2" ;;
    foe) foe "$2" ;;
    *) echo "no model \"$1\"; there are tv, foe-convex, foe" >&2; exit 2 ;;
  esac
}

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d' >&2; exit 2; }

case $#-${1:-} in
  2-all)
    train=$2
    for name in tv foe-convex foe; do
      for level in $levels; do one $name "$level"; done
    done
    ;;
  3-*)
    train=$3
    one "$1" "$2"
    ;;
  *) usage ;;
esac
