#!/bin/sh
# Fetches public data sets and checks them, file by file.
#
#   data/download.sh SET [DIR]         SET: bsd68, train400, kodak, mnist, fashion-mnist, cifar10, ptb; DIR: by default SET
#
# data/manifests/SET lists the files: SHA-256 and address. Files that are there and right are not fetched again; nothing is kept
# whose checksum differs. An archive (.tar.gz) is unpacked in DIR and kept. BITUNE_MIRROR, an address, stands in for the folders in the manifest. Mind the terms of the data:
# BSD68 and train400 are crops and grayscales of the Berkeley segmentation data (non-commercial research), the Penn Treebank may
# not be passed on, see data/README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d' >&2; exit 2; }
[ $# -ge 1 ] && [ $# -le 2 ] || usage
manifest=$here/manifests/$1
[ -f "$manifest" ] || { echo "no data set \"$1\"; there are $(ls "$here/manifests" | tr '\n' ' ')" >&2; exit 2; }
folder=${2:-$1}
mkdir -p "$folder"

fetch() { # ADDRESS FILE
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --retry 3 --output "$2" "$1"
  elif command -v wget >/dev/null; then
    wget --quiet --output-document="$2" "$1"
  else
    echo "neither curl nor wget is installed" >&2
    exit 1
  fi
}
right() { [ -f "$2" ] && [ "$(sha256sum "$2" | cut -d ' ' -f 1)" = "$1" ]; }

# What an archive holds is taken out again on each call: it is not checked file by file.
unpack() {
  case $1 in
    *.tar.gz) tar -xzf "$1" -C "$folder" ;;
  esac
}

fetched=0 kept=0 failed=0
while read -r sum address; do
  file=$folder/${address##*/}
  [ -z "${BITUNE_MIRROR:-}" ] || address=${BITUNE_MIRROR%/}/${address##*/}
  if right "$sum" "$file"; then
    kept=$((kept + 1))
  elif ! fetch "$address" "$file.part"; then
    echo "$address could not be fetched" >&2
    failed=$((failed + 1))
  elif ! right "$sum" "$file.part"; then
    echo "$address: the SHA-256 checksum is not $sum; the file was not kept" >&2
    failed=$((failed + 1))
  else
    mv "$file.part" "$file"
    fetched=$((fetched + 1))
  fi
  rm -f "$file.part"
  if right "$sum" "$file" && ! unpack "$file"; then
    echo "$file could not be unpacked" >&2
    failed=$((failed + 1))
  fi
done <"$manifest"
echo "$folder: $fetched files fetched, $kept were there, $failed failed"
[ "$failed" = 0 ]
