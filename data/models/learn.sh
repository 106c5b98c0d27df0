#!/bin/sh
# Learns the models of this folder; one function a model.
#
#   data/models/learn.sh NAME SIGMA TRAIN VALID     NAME: tv, foe-convex, foe; TRAIN and VALID: folders of clean images
#   data/models/learn.sh all TRAIN VALID            every model at every level
#
# NAME-SIGMA.json and NAME-SIGMA.log.csv are written to $BITUNE_OUTPUT (by default this folder); a run that was broken off
# goes on where it was. BITUNE names the program.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bitune=${BITUNE:-$here/../../build/bin/bitune}
output=${BITUNE_OUTPUT:-$here}
levels='5 15 25 50'

# learn NAME SIGMA OPTIONS …: with the log beside the model and a checkpoint that is removed at the end.
learn() {
  stem=$output/$1-$2
  sigma=$2
  shift 2
  resume=
  [ ! -e "$stem.ckpt" ] || resume=--resume
  "$bitune" learn --sigma "$sigma" --train "$train" --valid "$valid" --log "$stem.log.csv" \
    ${resume:---checkpoint} "$stem.ckpt" "$@" -o "$stem.json"
  rm -f "$stem.ckpt"
}

tv() { learn tv "$1" --regularizer tv --variant isotropic --images 100; }

windows='--batch 8 --crop 96x96 --iterations 3000 --rate 0.05'

# shellcheck disable=SC2086
foe_convex() { learn foe-convex "$1" --regularizer foe --variant convex $windows; }

# shellcheck disable=SC2086
foe() { learn foe "$1" --regularizer foe --variant weak $windows; }

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
  3-all)
    train=$2
    valid=$3
    for name in tv foe-convex foe; do
      for level in $levels; do one $name "$level"; done
    done
    ;;
  4-*)
    train=$3
    valid=$4
    one "$1" "$2"
    ;;
  *) usage ;;
esac
