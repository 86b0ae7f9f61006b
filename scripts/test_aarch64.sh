#!/usr/bin/env bash
# The kernels compiled for aarch64 (NEON), under qemu: what they compute equals what torch, NumPy and scikit-image write here. Debian's cross compiler and emulator are installed when this is root, else named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/say.sh

out="$PWD/build/aarch64"
mkdir -p "$out"
packages=(g++-aarch64-linux-gnu qemu-user)
if ! command -v aarch64-linux-gnu-g++ >/dev/null || ! command -v qemu-aarch64 >/dev/null; then
  remedy="apt-get install ${packages[*]}"
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then stop "no cross compiler or qemu-user: $remedy"; fi
  say "installing ${packages[*]} with apt-get (about 250 MB; log: build/aarch64/apt.log)"
  export DEBIAN_FRONTEND=noninteractive
  if ! { apt-get -q -o Acquire::Retries=2 update || true
    apt-get -y -q -o DPkg::Lock::Timeout=120 --no-install-recommends install "${packages[@]}"; } \
    >"$out/apt.log" 2>&1; then
    stop "they could not be installed (see build/aarch64/apt.log): $remedy"
  fi
fi

say "compiling the kernels for aarch64 into build/aarch64/"
aarch64-linux-gnu-g++ -std=c++17 -O3 -fno-math-errno -fno-trapping-math -Wall -Wextra -Wno-psabi -pthread \
  -Iim2hands_ros/kernels/src -o "$out/equality" im2hands_ros/kernels/src/*.cpp test/kernels/*equality.cpp

source scripts/env.sh
say "writing what torch computes to build/aarch64/vectors.bin"
PYTHONPATH=".:test/support:$PYTHONPATH" python test/support/kernel_vectors.py "$out/vectors.bin"
say "comparing under qemu-aarch64"
exec qemu-aarch64 -L /usr/aarch64-linux-gnu "$out/equality" "$out/vectors.bin"
