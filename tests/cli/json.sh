# What --json prints and what model files hold.
. "$(dirname "$0")/lib.sh"

make_clean
run 0 "$bitune" learn --sigma 25 --train clean --valid clean --max-outer 3 --json -o model.json --log run.csv
cp out learn.json
check "stderr is not empty" [ ! -s err ]
has learn.json command version status loss loss_bound loss_bounds.1 certificate outer_iterations lower_iterations \
  hypergradients seconds converged theta.1 gradient_norm gradient_bound psnr_train psnr_valid reason settings.sigma \
  settings.rho-bar settings.train failed
equal "$(field learn.json command)" learn
equal "$(field learn.json status)" ok
equal "$(field learn.json certificate)" proven
equal "$(field learn.json converged)" false
equal "$(field learn.json outer_iterations)" 3
equal "$(field learn.json settings.max-outer)" 3
equal "$(field learn.json images)" 4
equal "$(field learn.json theta.#)" 2
loss=$(field learn.json loss)
holds "$(field learn.json loss_bounds.0) <= $loss && $loss <= $(field learn.json loss_bounds.1)"
equal "$(field learn.json loss_bound)" "$(field learn.json loss_bounds.1)"
holds "$(field learn.json hypergradients) > 0 && $(field learn.json seconds) > 0"

# The model file carries the result and how it came about.
has model.json format version problem sigma regularizer.name regularizer.variant regularizer.parameters.1 \
  training.loss training.settings.seed
equal "$(field model.json format)" bitune-model
equal "$(field model.json sigma)" 25.0
equal "$(field model.json regularizer.name)" tv
equal "$(field model.json regularizer.theta)" "$(field learn.json theta)"
equal "$(field model.json training.loss)" "$loss"

# The log's last row is the result; its bounds hold, though the loss may have been computed more sharply since.
equal "[$(tail -n 1 run.csv | cut -d, -f19,20)]" "$(field learn.json theta)"
holds "$(tail -n 1 run.csv | cut -d, -f3) <= $loss && $loss <= $(tail -n 1 run.csv | cut -d, -f4)"
equal "$(head -n 1 run.csv | cut -d, -f1-5,18-20)" "iteration,loss,lower,upper,eps,seconds,theta_0,theta_1"
equal "$(wc -l <run.csv | tr -d ' ')" 5

run 0 "$bitune" eval --model model.json --sigma 25 --seed 1 --json --csv table.csv clean
cp out eval.json
has eval.json command version psnr_mean psnr_noisy_mean ssim_mean images seconds certified settings.tol
equal "$(field eval.json images)" 4
equal "$(field eval.json certified)" true
holds "$(field eval.json psnr_mean) > $(field eval.json psnr_noisy_mean) + 3"
holds "$(field eval.json ssim_mean) > 0.5 && $(field eval.json ssim_mean) < 1"
# --valid is this evaluation.
holds "($(field learn.json psnr_valid) - $(field eval.json psnr_mean))^2 < 1e-16"
# The table has the same mean.
equal "$(head -n 1 table.csv | cut -d, -f1-7)" "image,pages,psnr_noisy,psnr,ssim,bound,certified"
mean=$(awk -F, 'NR > 1 { sum += $4; n++ } END { printf "%.9f", sum / n }' table.csv)
holds "($mean - $(field eval.json psnr_mean))^2 < 1e-10"

# Without --sigma the noise is the model's.
run 0 "$bitune" eval --model model.json --seed 1 --json clean
equal "$(field out psnr_mean)" "$(field eval.json psnr_mean)"
run 0 "$bitune" eval --model model.json --sigma 15 --seed 1 --json clean
holds "$(field out psnr_noisy_mean) > $(field eval.json psnr_noisy_mean) + 4"
run 0 "$bitune" eval --model model.json --seed 2 --json clean
check "another seed gives the same noise" [ "$(field out psnr_mean)" != "$(field eval.json psnr_mean)" ]

run 0 "$bitune" noise --sigma 25 -o noisy --json clean
has out command version images seconds settings.seed
run 0 "$bitune" denoise --model model.json -o restored --json noisy
has out command version images seconds certified results.0.file results.0.output results.0.bound \
  results.0.certificate results.3.certified
equal "$(field out results.0.certificate)" proven
holds "$(field out results.0.bound) <= $(field out settings.tol)"
run 0 "$bitune" synth --size 8 -o tiny --json
has out command version images seconds
run 0 "$bitune" version --json
has out version build.imaging build.compiler libraries.petsc simd
run 0 "$bitune" help learn --json
has out text

# An error is JSON as well, and a line on stderr.
refuses 1 "nowhere: No such file" "$bitune" eval --model model.json --json nowhere
has out command status error
check "the error is not told in JSON" grep -q nowhere out

# --quiet prints nothing; --json prints one object and nothing else.
run 0 "$bitune" eval --model model.json --quiet clean
check "--quiet printed something" [ ! -s out ]
run 0 "$bitune" learn --sigma 25 --train clean --max-outer 1 --quiet -o quiet.json
check "--quiet printed something" [ ! -s out ]
check "--quiet printed something on stderr" [ ! -s err ]

finish
