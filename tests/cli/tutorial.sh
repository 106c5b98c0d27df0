# The commands of docs/tutorial.md, in order, in a folder laid out like the repository after a build.
. "$(dirname "$0")/lib.sh"

command -v gnuplot >/dev/null 2>&1 || skip "there is no gnuplot"
command -v mpirun >/dev/null 2>&1 || skip "there is no mpirun"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1

mkdir -p build/bin
ln -s "$bitune" build/bin/bitune
ln -s "$source_folder/data" data

# Blocks that begin with ```sh are commands; the shell stops at the first that fails.
awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$source_folder/docs/tutorial.md" >commands
check "the tutorial has only $(wc -l <commands) commands" [ "$(grep -c 'bitune' commands)" -ge 15 ]
for command in synth noise learn eval check plot denoise sigma blur restore montage version mpirun; do
  check "the tutorial does not show $command" grep -q "$command" commands
done
run 0 sh -eux commands

cd run/tutorial || finish
for picture in before-after.png run.png foe25.png foe-run.png filled/leaves-000.png restored/leaves-002.png restored-more/leaves-000.png; do
  check "$picture is no picture" "$image_tool" info $picture >/dev/null
done
equal "$("$image_tool" info restored-more/leaves-000.tif | grep -c 'tif 96x96 bits 32 samples 1')" 3
holds "$(field result.json psnr_mean) > $(field result.json psnr_noisy_mean) + 5"
holds "$("$image_tool" psnr filled/leaves-000.png held-out/leaves-000.png) > 22"
holds "$("$image_tool" psnr restored-foe/leaves-000.png held-out/leaves-000.png) > 24"
no_leftovers

finish
