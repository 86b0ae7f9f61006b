#!/usr/bin/env bash
# Chromium for the viewer's tests: installed on Debian when this is root, else named. No .venv is needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/say.sh

log="$PWD/build/browser.log"
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then exit 0; fi
done

remedy="the viewer's tests will fail: apt-get install chromium-headless-shell (or chromium, or Google Chrome)"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  say "no Chromium here, and only root can install it: $remedy" >&2
  exit 0
fi

install() {
  DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=120 --no-install-recommends install "$1"
}

mkdir -p build
say "installing Chromium for the viewer's tests with apt-get (about 400 MB; log: build/browser.log)"
started=$SECONDS
if ! { apt-get -q -o Acquire::Retries=2 update || true; install chromium-headless-shell || install chromium; } \
  >"$log" 2>&1; then
  say "Chromium could not be installed (see build/browser.log): $remedy" >&2
  exit 0
fi
say "Chromium is here after $((SECONDS - started)) s"
