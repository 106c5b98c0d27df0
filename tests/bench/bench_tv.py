"""Time of bitune's TV denoising against scikit-image's denoise_tv_chambolle, to the same value of the objective.

    python3 bench_tv.py BUILD/bench/bench_tv IMAGE.png

One thread for both (run under taskset -c 0 with OMP_NUM_THREADS=1). Skips (exit 77) without scikit-image."""
import os
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np
    from skimage import io
    from skimage.restoration import denoise_tv_chambolle
except ImportError as missing:
    print(f"SKIPPED: {missing}")
    sys.exit(77)

WEIGHT = 0.07


def objective(u, y):
    dx = np.diff(u, axis=1, append=u[:, -1:])
    dy = np.diff(u, axis=0, append=u[-1:, :])
    return 0.5 * ((u - y) ** 2).sum() + WEIGHT * np.sqrt(dx**2 + dy**2).sum()


program, path = sys.argv[1], sys.argv[2]
clean = io.imread(path, as_gray=True).astype(float)
clean /= 255.0 if clean.max() > 1 else 1.0
noisy = clean + 25 / 255 * np.random.default_rng(1).standard_normal(clean.shape)
peer = []
for eps, limit in ((2e-4, 200), (5e-5, 1000), (1e-5, 2000), (1e-6, 10000)):
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        u = denoise_tv_chambolle(noisy, weight=WEIGHT, eps=eps, max_num_iter=limit)
        best = min(best, time.perf_counter() - start)
    peer.append((eps, objective(u, noisy), best))
with tempfile.NamedTemporaryFile(suffix=".raw", delete=False) as raw:
    noisy.tofile(raw)
targets = [f"{value:.9f}" for _, value, _ in peer]
out = subprocess.run([program, raw.name, str(clean.shape[0]), str(clean.shape[1]), str(WEIGHT), *targets],
                     capture_output=True, text=True, check=True).stdout
os.unlink(raw.name)
ours = [list(map(float, line.split())) for line in out.splitlines()]
print(f"{path}: {clean.shape[0]}x{clean.shape[1]}, weight {WEIGHT}\n")
print("| scikit-image eps | objective | seconds | bitune objective | seconds | ratio |\n|---|---|---|---|---|---|")
for (eps, value, seconds), (_, reached, best) in zip(peer, ours):
    print(f"| {eps:g} | {value:.4f} | {seconds:.4f} | {reached:.4f} | {best:.4f} | {seconds / best:.1f} |")
