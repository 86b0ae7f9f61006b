"""Point the ROS wheels' CMake exports at this interpreter's headers, not the wheel builder's."""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

BUILDER = r"/opt/python/cp\d+-cp\d+"
HEADERS = {
    rf"{BUILDER}/include/python3\.\d+": sysconfig.get_paths()["include"],
    rf"{BUILDER}/lib/python3\.\d+/site-packages/numpy/(?:_core|core)/include": np.get_include(),
}


def relocated(text: str) -> str:
    """Return the text of an export file with the builder's include directories replaced."""
    for pattern, directory in HEADERS.items():
        text = re.sub(pattern, directory.replace("\\", r"\\"), text)
    return text


def main() -> int:
    """Rewrite every `share/*/cmake/*Export.cmake` of this virtual environment in place."""
    count = 0
    for export in Path(sys.prefix, "share").glob("*/cmake/*Export.cmake"):
        text = export.read_text(encoding="utf-8")
        new_text = relocated(text)
        if new_text != text:
            export.write_text(new_text, encoding="utf-8")
            count += 1
    print(f"{count} export files now name {HEADERS[next(iter(HEADERS))]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
