# Pages name what is there: links resolve, commands and options of bitune exist.
. "$(dirname "$0")/lib.sh"

pages=$(cd "$source_folder" && find . -name '*.md' -not -path './build*' -not -path './run/*' | sort)
for page in README.md docs/tutorial.md data/README.md; do exists "$source_folder/$page"; done

for page in $pages; do
  folder=$(dirname "$source_folder/$page")
  for link in $(grep -o '](.[^)]*)' "$source_folder/$page" | sed 's/^](//; s/)$//; s/#.*//' | grep -v '^[a-z]*:'); do
    check "$page links to $link, which is missing" [ -e "$folder/$link" ]
  done
  # "bitune COMMAND … --option": each option is in that command's help.
  grep -oE 'bitune (nn|learn|logreg|compare|denoise|restore|eval|check|sigma|synth|noise|blur|plot|montage|version|help|completion)[^`|#>]*' "$source_folder/$page" |
    while read -r _ command rest; do
      "$bitune" help "$command" >help.txt
      for option in $(echo "$rest" | grep -oE -- ' --[a-z][a-z0-9-]*'); do
        grep -qE -- " $option( |,|\$)" help.txt || echo "$page: bitune $command has no $option"
      done
    done >unknown.txt
  check "$(cat unknown.txt)" [ ! -s unknown.txt ]
done

# Every command and every folder of the source is in the README or the tutorial.
for command in $("$bitune" help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'); do
  case $command in completion) continue ;; esac
  check "no page tells of bitune $command" grep -q "bitune $command" "$source_folder/README.md" "$source_folder/docs/tutorial.md"
done
for list in "$source_folder"/src/*/CMakeLists.txt; do
  folder=src/$(basename "$(dirname "$list")")
  check "the README does not list $folder" grep -q "$folder" "$source_folder/README.md"
done

finish
