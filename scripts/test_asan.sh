#!/usr/bin/env bash
# The kernels' C interface with input that does not fit, under AddressSanitizer and UndefinedBehaviorSanitizer.
# Arguments go to pytest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/say.sh
source scripts/env.sh

compiler="${CXX:-g++}"
command -v "$compiler" >/dev/null || stop "there is no C++ compiler '$compiler': apt-get install g++, or set CXX"
out="$PWD/build/asan"
mkdir -p "$out"
say "compiling the kernels with the sanitizers into build/asan/"
for level in x86-64-v3 native; do
  "$compiler" -std=c++17 -O1 -g -march="$level" -fno-math-errno -fno-trapping-math -Wno-psabi -fPIC -shared -pthread \
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
    -o "$out/libim2hands_kernels.so" im2hands_ros/kernels/src/*.cpp 2>"$out/compile.log" && break
done || stop "the kernels do not compile with the sanitizers (see build/asan/compile.log)"

say "running test/kernels/test_*_boundary.py"
# Python itself leaks at its end, and allocates what the library refuses.
export KERNELS_UNDER_TEST="$out/libim2hands_kernels.so"
export ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1" UBSAN_OPTIONS="print_stacktrace=1"
libraries="$("$compiler" -print-file-name=libasan.so) $("$compiler" -print-file-name=libubsan.so)"
LD_PRELOAD="$libraries" exec python -m pytest -q -s -p no:cacheprovider test/kernels/test_*_boundary.py "$@"
