# The environment of this checkout: the virtual environment's ROS 2 wheels, with install/ laid over them.
#   source scripts/env.sh        (bash or zsh)
# It replaces a sourced ROS: the two must not mix. ROS_DOMAIN_ID is kept when already set; what else should
# differ, export afterwards.

_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)"
_venv="$_root/.venv"
_overlay="$_root/install"

if [ ! -x "$_venv/bin/python" ]; then
  echo "[im2hands] $_venv has no Python: run 'make build' in $_root first" >&2
  unset _root _venv _overlay
  return 1 2>/dev/null || exit 1
fi

case ":$PATH:" in
  *":$_overlay/bin:"*) ;;
  *) export PATH="$_overlay/bin:$_venv/bin:$PATH" ;;
esac
export VIRTUAL_ENV="$_venv" PYTHONNOUSERSITE=1
unset PYTHONHOME COLCON_PREFIX_PATH ROS_LOCALHOST_ONLY

# The wheels keep their shared libraries in lib/ and in one directory for each wheel. Setting the path here
# spares every process the wheels' own start-up, which would run Python a second time.
_libraries="$_overlay/lib:$_venv/lib"
while IFS= read -r _directory; do
  _libraries="$_libraries:$_directory"
done <<EOF_DIRECTORIES
$(find "$_venv/lib" -maxdepth 3 -type d -name 'ros_*.libs' | sort)
EOF_DIRECTORIES
export LD_LIBRARY_PATH="$_libraries"
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1

_modules=""
while IFS= read -r _directory; do
  [ -n "$_directory" ] && _modules="$_modules${_modules:+:}$_directory"
done <<EOF_DIRECTORIES
$(find "$_overlay" -maxdepth 4 -type d \( -name site-packages -o -name dist-packages \) 2>/dev/null | sort)
EOF_DIRECTORIES
export PYTHONPATH="$_modules"
export AMENT_PREFIX_PATH="$_overlay:$_venv" CMAKE_PREFIX_PATH="$_overlay:$_venv"

export ROS_VERSION=2 ROS_PYTHON_VERSION=3 ROS_DISTRO=jazzy RMW_IMPLEMENTATION=rmw_fastrtps_cpp
export ROS_LOG_DIR="${IM2HANDS_ROS_LOG_DIR:-$_root/build/ros_log}"

# Nothing leaves this machine, and another checkout or user of it does not receive its messages: the domain is made from
# the path and the user, within the 101 that do not run into the kernel's ephemeral ports.
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
if [ -z "${ROS_DOMAIN_ID:-}" ]; then
  ROS_DOMAIN_ID=$(( $(printf '%s' "$_root:$(id -u)" | cksum | cut -d ' ' -f 1) % 100 + 1 ))
fi
export ROS_DOMAIN_ID
export FASTRTPS_DEFAULT_PROFILES_FILE="$_root/config/fastdds_loopback.xml"

# Idle OpenMP threads sleep: spinning ones would take the cores that DDS and the other nodes need.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}" GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-0}"

unset _root _venv _overlay _libraries _modules _directory
