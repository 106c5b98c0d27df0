# Networks that learn to denoise the images of a folder.
. "$(dirname "$0")/lib.sh"

cat >task.json <<END
{"data": {"kind": "images", "test_data": "$source_folder/data/samples/test", "noise": 0.1, "patch": 16, "patches": 48},
 "batch": 32, "epochs": 6, "optimizer": {"kind": "adam", "rate": 0.005},
 "model": {"loss": "squared-error", "layers": [{"type": "residual", "layers": [
   {"type": "conv2d", "out": 8, "kernel": 5, "stride": 1, "pad": 2}, {"type": "relu"},
   {"type": "conv2d", "out": 1, "kernel": 5, "stride": 1, "pad": 2}]}]}}
END
run 0 "$bitune" nn train --task task.json --data "$source_folder/data/samples/train" --json --quiet
cp out result.json
# The noise's variance is 0.01.
holds "$("$json_get" result.json test_loss) < 0.006"
holds "$("$json_get" result.json valid_loss) < 0.006"

run 1 "$bitune" nn train --task task.json --data nowhere --quiet
says nowhere
"$bitune" synth --kind leaves --size 32x32 --count 1 --color -o mixed --quiet
run 1 "$bitune" nn train --task task.json --data mixed --quiet
says data/samples/test "an image in gray among those in colour"
cp "$source_folder/data/samples/train/leaves-001.png" mixed/more.png
run 1 "$bitune" nn train --task task.json --data mixed --quiet
says mixed/more.png "an image in gray among those in colour"

finish
