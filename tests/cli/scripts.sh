# The repository's shell scripts parse, and shellcheck has no complaint.
. "$(dirname "$0")/lib.sh"

cd "$source_folder" || exit 1
scripts=$(find apps data tests .ci -name '*.sh' -o -path .ci/run)
for script in $scripts; do run 0 sh -n "$script"; done
check "no scripts found" [ $checks -ge 10 ]
command -v shellcheck >/dev/null 2>&1 || skip "there is no shellcheck; the scripts parse"
# Not: unused arguments and functions that are called by name.
for script in $scripts; do run 0 shellcheck -x -P SCRIPTDIR -s sh -S warning "$script"; done

finish
