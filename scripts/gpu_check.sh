#!/usr/bin/env bash
# Everything that needs a GPU, in at most 8 minutes: equality with torch and the CPU, times, memory. JSON and logs into OUT.
#   [WHEELS=FOLDER] [OUT=FOLDER] scripts/gpu_check.sh [--dry-run]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/say.sh
source scripts/gpu_setup.sh

status=0
if [ -n "$dry" ]; then
  frames=2 seconds=10 device=cpu
else
  frames=1000 seconds=270 device=cuda
  nvidia-smi --query-gpu=name,driver_version,memory.total,memory.used --format=csv | tee "$out/nvidia_smi.csv"
  if command -v g++ >/dev/null && ! ls im2hands_ros/kernels/lib/*.so >/dev/null 2>&1; then
    say "compiling the kernels for the CPU"
    timeout 90 "$python" setup.py -q build_ext --inplace >"$out/build.log" 2>&1 || say "they do not compile (build.log)"
  fi
fi

say "comparing with torch and with the CPU"
timeout 150 "$python" -m pytest -q -p no:cacheprovider test/kernels/test_on_gpu.py 2>&1 | tee "$out/equality.log" || status=1

say "measuring"
timeout $((seconds + 60)) "$python" scripts/gpu_bench.py --device "$device" --frames "$frames" --seconds "$seconds" \
  --out "$out/frame_gpu.json" 2>&1 | tee "$out/bench.log" || status=1
if "$python" -m im2hands_ros.cli bench --help | grep -q reference && [ -z "$dry" ]; then
  say "measuring against the reference implementation"
  timeout 90 "$python" -m im2hands_ros.cli bench --device "$device" --frames 20 --resolutions 64 --dense-up-to 0 \
    --against reference --out "$out/reference_gpu.json" 2>&1 | tee "$out/reference.log" || status=1
fi
[ "$status" = 0 ] && say "done: copy $out/*.json to docs/benchmarks/" || say "something failed: see $out/*.log"
exit "$status"
