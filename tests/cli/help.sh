# Help, man pages and shell completion of every command.
. "$(dirname "$0")/lib.sh"

run 0 "$bitune" help
equal "$(grep -c "^Learning and restoring:" out)" 1
# "  learn       learn a regularizer's …": the names stand behind two blanks, exit codes apart.
commands=$(sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' out)
for command in learn denoise eval check synth noise plot version help; do
  case " $(echo "$commands" | tr '\n' ' ') " in
    *" $command "*) passed ;;
    *) failed "bitune help does not list $command" ;;
  esac
done
cp out overview
run 0 "$bitune" --help
same out overview
run 0 "$bitune" -h
same out overview

# Examples are real command lines: with the files missing they may fail, but not as wrong usage.
bitune_example() {
  mkdir -p examples
  (
    cd examples || exit 1
    bitune() { "$BITUNE" "$@"; }
    HOME=$work/home
    mkdir -p "$HOME/.config/fish/completions"
    eval "$1" >../out 2>../err </dev/null
  )
  code=$?
  check "an example is wrong usage: $1: $(cat err)" [ $code -ne 2 ]
}

for command in $commands; do
  run 0 "$bitune" help "$command"
  cp out text
  run 0 "$bitune" "$command" --help
  same out text
  check "no usage in the help of $command" grep -q "^Usage: bitune $command" text
  check "no summary in the help of $command" grep -q "^bitune $command: ....*" text
  examples=$(sed -n '/^Examples:/,$p' text | grep '^  [^#]' | grep -c 'bitune ')
  check "$command has only $examples examples" [ "$examples" -ge 2 ]
  # Characters, not bytes of UTF-8.
  wide=$(LC_ALL=C tr -d '\200-\277' <text | awk '/^Examples:/ { exit } NR > 1 && length > 80')
  check "the help of $command has lines of more than 80 characters: $wide" [ -z "$wide" ]
  check "--json is missing from the help of $command" grep -q -- --json text
  sed -n '/^Examples:/,$p' text | sed -n 's/^  \(bitune .*\)/\1/p' >lines
  while read -r line; do bitune_example "${line%%|*}"; done <lines
done

# Man pages: no warnings, all options.
if command -v groff >/dev/null 2>&1; then
  for command in '' $commands; do
    # shellcheck disable=SC2086 # none or one
    "$bitune" help --man $command >page
    groff -Kutf8 -man -ww -Tutf8 -z page 2>err
    check "warnings about the man page of bitune $command: $(head -n 3 err)" [ ! -s err ]
  done
else
  echo "groff is missing: man pages are not formatted"
fi
for command in $commands; do
  "$bitune" help --man "$command" >page
  for option in $("$bitune" help "$command" | sed -n 's/^  *\(-., \)\{0,1\}\(--[a-z0-9-]*\) .*/\2/p'); do
    escaped=$(echo "$option" | sed 's/-/\\-/g')
    check "$option is missing from the man page of $command" grep -qF -- "$escaped" page
  done
done

# Completion scripts: right syntax, where the shell is there, and real completions in bash.
for shell in bash zsh fish; do
  run 0 "$bitune" completion $shell
  cp out script.$shell
  check "the $shell script is empty" [ -s script.$shell ]
  for command in $commands; do check "$command is missing from the $shell script" grep -q "$command" script.$shell; done
  if command -v $shell >/dev/null 2>&1; then
    case $shell in
      fish) run 0 fish --no-execute script.fish ;;
      *) run 0 $shell -n script.$shell ;;
    esac
  else
    echo "$shell is missing: its script is not checked"
  fi
done

if command -v bash >/dev/null 2>&1; then
  cat >complete.bash <<'END'
source script.bash
words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bitune; echo "${COMPREPLY[*]}"; }
words bitune le
words bitune learn --check
words bitune learn --variant an
words bitune help den
words bitune denoise --model mod
words bitune montage --sigma
END
  : >model.json
  run 0 bash complete.bash
  printf '%s\n' learn --checkpoint anisotropic denoise model.json '' >wanted
  same out wanted
fi

finish
