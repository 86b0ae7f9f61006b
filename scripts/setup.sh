#!/usr/bin/env bash
# Make .venv with everything this project needs, ROS 2 Jazzy included. Nothing happens when it is there already.
# PYTHON names the interpreter; by default the first fit one of python3, python3.12, python3.11, 3.13, 3.14, 3.10.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/say.sh
unset PYTHONPATH PYTHONHOME  # a sourced ROS would pass for installed packages

venv="$PWD/.venv"
stamp="$venv/im2hands-setup.txt"
log="$PWD/build/setup.log"
needed_mib=4096

# The first interpreter that passes; else the first one's reason. The one that made .venv comes first.
choose_python() {
  local candidate reason first_reason="" candidates
  candidates=("$(sed -n 's/^python \(.*\) [^ ]*$/\1/p' "$stamp" 2>/dev/null)" python3 python3.12 python3.11 python3.13 python3.14 python3.10)
  if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON" >/dev/null || stop "PYTHON=$PYTHON is not a command: name an existing Python 3.10 to 3.14"
    candidates=("$PYTHON")
  fi
  for candidate in "${candidates[@]}"; do
    command -v "$candidate" >/dev/null || continue
    if reason="$("$candidate" scripts/check_python.py 2>/dev/null)"; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
    first_reason="${first_reason:-${reason:-$candidate does not run}}"
  done
  stop "${first_reason:-no python3 found: apt-get install python3 python3-venv python3-dev}"
}

check_tools() {
  local compiler="${CXX:-}"
  [ -n "$compiler" ] || compiler="$(command -v c++ || command -v g++ || command -v clang++)" ||
    stop "no C++ compiler, which the ROS message generators need: apt-get install g++"
  echo 'int main() { return 0; }' | $compiler -x c++ -fsyntax-only - 2>/dev/null ||
    stop "the C++ compiler '$compiler' cannot compile: apt-get install g++ libc6-dev"
}

check_disk() {
  local free_mib
  free_mib="$(df -Pm . | awk 'NR == 2 { print $4 }')"
  [ "$free_mib" -ge "$needed_mib" ] ||
    stop "$free_mib MiB free in $PWD, the environment needs $needed_mib: free some space or clone elsewhere"
}

# Debian's python3 without python3-venv lacks ensurepip: virtualenv, or the system's own pip, can stand in.
create_venv() {
  rm -rf "$venv"
  if "$1" -c 'import ensurepip' 2>/dev/null && "$1" -m venv "$venv" >>"$log" 2>&1; then return; fi
  rm -rf "$venv"
  if "$1" -m virtualenv "$venv" >>"$log" 2>&1; then return; fi
  rm -rf "$venv"
  if "$1" -m venv --without-pip "$venv" >>"$log" 2>&1 &&
    "$1" -m pip --python "$venv/bin/python" install pip >>"$log" 2>&1; then return; fi
  rm -rf "$venv"
  stop "$1 cannot make virtual environments: apt-get install python3-venv (details: $log)"
}

install_packages() {
  pip_install --constraint requirements/constraints.txt --requirement requirements/core.txt \
    --requirement requirements/ros.txt --requirement requirements/dev.txt
}

pip_install() {
  local reason
  PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1 \
    "$venv/bin/python" -m pip install --no-input --progress-bar off "$@" >>"$log" 2>&1 && return
  reason="$(grep -E '^ERROR|No space left|Errno' "$log" | tail -n 1 | cut -c 1-200)"
  case "$(tail -n 200 "$log")" in
    *'No space left'*) stop "the disk is full: free some space and call make again (details: $log)" ;;
    *'Failed to establish'* | *'Temporary failure'* | *'Connection'* | *'timed out'* | *'Read timed out'*)
      stop "no package registry can be reached: check the network or pip's index and proxy settings (details: $log)" ;;
    *'No matching distribution'*)
      stop "${reason#ERROR: }: is a package registry reachable (network, proxy, pip's index settings)? (details: $log)" ;;
    *) stop "pip could not install the pinned packages: ${reason:-see the log} (details: $log)" ;;
  esac
}

fingerprint() {
  printf 'python %s\npath %s\n' "$("$1" -c 'import sys; print(sys.executable, sys.version.split()[0])')" "$PWD"
  cat requirements/*.txt scripts/relocate_wheels.py | cksum
}

mkdir -p build
exec 9>build/.lock
command -v flock >/dev/null && { flock -n 9 || { say "waiting for another make in $PWD"; flock 9; }; }

python="$(choose_python)"
wanted="$(fingerprint "$python")"
if [ -f "$stamp" ] && [ "$wanted" = "$(cat "$stamp")" ]; then exit 0; fi

check_tools
check_disk
started=$SECONDS
: >"$log"
if [ -f "$stamp" ] && [ "$(head -n 2 "$stamp")" = "$(head -n 2 <<<"$wanted")" ]; then
  say "the requirements changed: bringing .venv up to date"
else
  say "making a virtual environment in .venv with $python"
  create_venv "$python"
fi
say "installing the pinned packages: torch, ROS 2 Jazzy, colcon and the rest (some minutes; log: build/setup.log)"
install_packages
say "pointing the ROS wheels at this Python's headers"
"$venv/bin/python" scripts/relocate_wheels.py >>"$log" 2>&1 || stop "the ROS wheels could not be adapted (details: $log)"
say "fetching MediaPipe's hand networks, against which the converted ones are tested"
"$venv/bin/python" -m im2hands_ros.detection.bundle >>"$log" 2>&1 ||
  stop "MediaPipe's hand networks could not be fetched: $(tail -n 1 "$log" | cut -c 1-300)"
printf '%s\n' "$wanted" >"$stamp"
say "environment ready after $((SECONDS - started)) s"
