#!/usr/bin/env bash
# Build the package with colcon into install/, when something that matters to the build has changed.
# Python, launch and parameter files are symbolic links in install/: editing one needs no build, adding one does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/say.sh
source scripts/env.sh

stamp="$PWD/install/im2hands-build.txt"
log="$PWD/build/colcon.log"

fingerprint() {
  cat .venv/im2hands-setup.txt
  cat package.xml CMakeLists.txt msg/*.msg srv/*.srv im2hands_ros/kernels/src/* | cksum
  find im2hands_ros config launch scripts/im2hands scripts/ros -type f -not -name '*.pyc' -not -name '.*' | LC_ALL=C sort
}

mkdir -p build install
exec 9>build/.lock
command -v flock >/dev/null && flock 9

wanted="$(fingerprint)"
if [ -f "$stamp" ] && [ "$wanted" = "$(cat "$stamp")" ]; then exit 0; fi

say "building the messages and the package with colcon into install/ (log: build/colcon.log)"
started=$SECONDS
# The calling make's flags are not for the makes below.
unset MAKEFLAGS MFLAGS MAKELEVEL
if ! python -m colcon --log-base log build --merge-install --symlink-install --base-paths . \
  --packages-select im2hands_ros --event-handlers console_direct+ --cmake-args \
  -DPython3_EXECUTABLE="$VIRTUAL_ENV/bin/python" -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF --no-warn-unused-cli \
  >"$log" 2>&1; then
  reason="$(grep -E 'rror' "$log" | head -n 1 | cut -c 1-200 || true)"
  stop "colcon build failed: ${reason:-see the log} (details: $log)"
fi
# Links to files that are gone would shadow what replaced them.
find install -xtype l -delete
printf '%s\n' "$wanted" >"$stamp"
say "built after $((SECONDS - started)) s"
