# The images in data/samples are what the commands in data/README.md make.
. "$(dirname "$0")/lib.sh"

sed -n 's/.*`\(bitune synth [^`]*\)`.*/\1/p' "$source_folder/data/README.md" >commands
check "data/README.md has no commands" [ "$(wc -l <commands)" -ge 2 ]
bitune() { "$BITUNE" "$@" --quiet; }
while read -r line; do
  check "failed: $line" eval "$line"
done <commands
count=0
for folder in train test; do
  equal "$(cd data/samples/$folder && ls)" "$(cd "$source_folder/data/samples/$folder" && ls)"
  for file in "data/samples/$folder"/*; do
    # One gray value in one pixel may be rounded otherwise on another machine.
    holds "$("$image_tool" psnr "$file" "$source_folder/$file") > 85"
    count=$((count + 1))
  done
done
check "only $count samples" [ $count -ge 8 ]

finish
