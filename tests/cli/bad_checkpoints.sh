# A checkpoint of another run, or a damaged one, is refused in one line; nothing is written.
. "$(dirname "$0")/lib.sh"

make_clean
"$bitune" synth --size 48x48 --count 4 --seed 4 --quiet -o other
run 0 "$bitune" learn --sigma 25 --train clean --max-outer 4 --quiet --checkpoint good.ckpt -o good.json
cp good.ckpt copy.ckpt

# refused TEXT OPTIONS …: the good checkpoint with other settings.
refused() {
  text=$1
  shift
  refuses 1 "good.ckpt: the checkpoint's $text" "$bitune" learn --quiet --resume good.ckpt -o never.json "$@"
  absent never.json
  same good.ckpt copy.ckpt
}
refused "sigma is 25, this run's 30" --sigma 30 --train clean
refused "seed is 1, this run's 2" --sigma 25 --train clean --seed 2
refused "training data" --sigma 25 --train other
refused "images is 4, this run's 3" --sigma 25 --train clean --images 3
refused "training data" --sigma 25 --train clean --crop 32x32
refused "variant is isotropic, this run's anisotropic" --sigma 25 --train clean --variant anisotropic
refused "method" --sigma 25 --train clean --method maid-plain
refused "loss" --sigma 25 --train clean --loss squared

# damaged FILE [TEXT]: refused with a line that names it.
damaged() {
  refuses 1 "$1: ${2:-}" "$bitune" learn --quiet --sigma 25 --train clean --resume "$1" -o never.json
  absent never.json
}
damaged nowhere.ckpt "cannot read: No such file"
damaged clean "cannot read"
cp clean/leaves-000.png picture.ckpt
damaged picture.ckpt
refuses 1 'input of this run' "$bitune" learn --quiet --sigma 25 --train clean --resume clean/leaves-000.png -o never.json
damaged good.json
: >empty.ckpt
damaged empty.ckpt
size=$(wc -c <good.ckpt)
for bytes in 1 7 8 9 100 1000 $((size / 2)) $((size - 8)) $((size - 1)); do
  head -c "$bytes" good.ckpt >cut.ckpt
  damaged cut.ckpt
done
cat good.ckpt good.ckpt >twice.ckpt
damaged twice.ckpt
{ printf '\377\377\377\377\377\377\377\177'; tail -c +9 good.ckpt; } >huge.ckpt
damaged huge.ckpt
sed 's/"F64"/"F32"/' good.ckpt >type.ckpt
damaged type.ckpt
sed 's/maid\.vectors/maid.victors/' good.ckpt >name.ckpt
damaged name.ckpt

# Damage in the numbers: told, or harmless, but never a crash.
header=$(od -An -tu8 -N8 good.ckpt | tr -d ' ')
data=$((8 + header))
for place in 0 1 2 3 5 7; do
  for bytes in '\377\377\377\377\377\377\377\377' '\0\0\0\0\0\0\0\200' '\0\0\0\0\0\0\360\177'; do
    at=$((data + 8 * place))
    { head -c $at good.ckpt; printf '%b' "$(printf '%s' "$bytes" | sed 's/\\/\\0/g')"; tail -c +$((at + 9)) good.ckpt; } >numbers.ckpt
    equal "$(wc -c <numbers.ckpt)" "$size"
    "$bitune" learn --quiet --sigma 25 --train clean --max-outer 5 --resume numbers.ckpt -o numbers.json >out 2>err
    code=$?
    case $code in
      0 | 3) passed ;;
      1) says numbers.ckpt ;;
      *) failed "exit code $code from a checkpoint with damaged numbers (place $place, $bytes)" ;;
    esac
  done
done

no_leftovers
finish
