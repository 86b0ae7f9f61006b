# Python for the scripts beside this one on a bare machine with a GPU: its own interpreter and torch, and from the folder
# WHEELS what it lacks, as wheels or as .tar.xz of unpacked ones (half the size). Nothing is downloaded.
# Sets python, out, work and dry; the only argument that it knows is --dry-run: on this machine's CPU, a few frames.

dry=""
[ "${1:-}" != --dry-run ] || { dry=1; shift; }
work="${IM2HANDS_GPU_DIR:-$PWD/build/gpu}${dry:+/dry}"
out="${OUT:-$work/out}"
mkdir -p "$out" "$work"

if [ -x .venv/bin/python ]; then
  source scripts/env.sh
  python=python
else
  python=python3
fi
site="$work/site"
if [ -n "${WHEELS:-}" ] && [ ! -d "$site" ]; then
  [ -d "$WHEELS" ] || stop "WHEELS=$WHEELS is no folder: give one with wheels or .tar.xz archives of them"
  mkdir -p "$site"
  for archive in "$WHEELS"/*.tar.xz; do
    [ ! -e "$archive" ] || tar -xJf "$archive" -C "$site"
  done
  for wheel in "$WHEELS"/*.whl; do
    [ ! -e "$wheel" ] || "$python" -m pip install -q --no-index --no-deps --no-compile --target "$site" "$wheel"
  done
fi
export PYTHONPATH="$PWD:$PWD/test/support${PYTHONPATH:+:$PYTHONPATH}:$site"
export PYTHONUNBUFFERED=1 TRITON_CACHE_DIR="${TRITON_CACHE_DIR:-$work/triton}"
if [ -z "$dry" ]; then
  "$python" -c "import torch, sys; sys.exit(not torch.cuda.is_available())" ||
    stop "torch sees no GPU: run it on a machine with one, or with --dry-run"
  export TRITON_INTERPRET=0
fi
