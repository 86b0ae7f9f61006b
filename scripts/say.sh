# Two ways to speak, for the scripts beside this one.

say() { printf '[im2hands] %s\n' "$*"; }

stop() {
  printf '[im2hands] stopped: %s\n' "$*" >&2
  exit 1
}
