# data/download.sh keeps what has the right checksum and nothing else.
. "$(dirname "$0")/lib.sh"

command -v curl >/dev/null 2>&1 || skip "there is no curl"
mkdir -p copy/manifests mirror
cp "$source_folder/data/download.sh" copy
printf 'one\n' >mirror/one.txt
printf 'two\n' >mirror/two.txt
for name in one two; do
  echo "$(sha256sum mirror/$name.txt | cut -d ' ' -f 1) https://example.org/some/$name.txt"
done >copy/manifests/numbers
BITUNE_MIRROR=file://$work/mirror/
export BITUNE_MIRROR
run 0 sh copy/download.sh numbers here
check "what was fetched is not told" grep -q '^here: 2 files fetched, 0 were there, 0 failed$' out
same here/one.txt mirror/one.txt
run 0 sh copy/download.sh numbers here
check "files are fetched again" grep -q '^here: 0 files fetched, 2 were there, 0 failed$' out
printf 'twa\n' >mirror/two.txt
printf 'broken\n' >here/two.txt
rm mirror/one.txt here/one.txt
run 1 sh copy/download.sh numbers here
check "the wrong checksum is not told" grep -q 'two.txt: the SHA-256 checksum is not' err
check "the missing file is not told" grep -q 'one.txt could not be fetched' err
absent here/one.txt
absent here/one.txt.part
absent here/two.txt.part
run 2 sh copy/download.sh letters
check "the sets are not told" grep -q 'there are numbers' err
mkdir inside
printf 'three\n' >inside/three.txt
tar -czf mirror/more.tar.gz inside
echo "$(sha256sum mirror/more.tar.gz | cut -d ' ' -f 1) https://example.org/more.tar.gz" >copy/manifests/archive
run 0 sh copy/download.sh archive there
same there/inside/three.txt inside/three.txt
rm there/inside/three.txt
run 0 sh copy/download.sh archive there
check "the archive is fetched again" grep -q '^there: 0 files fetched, 1 were there, 0 failed$' out
same there/inside/three.txt inside/three.txt

finish
