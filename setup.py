"""`pip install .` installs the part without ROS; colcon builds the whole with CMakeLists.txt.

The kernels (im2hands_ros/kernels) are compiled where there is a C++ compiler, one library for each
instruction set. Without one the package works in torch.
"""

import platform
from copy import copy
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

OPTIONS = [
    "-std=c++17",
    "-O3",
    "-g0",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
]
LEVELS = ("", "v3", "v4") if platform.machine() == "x86_64" else ("",)


def kernels(level: str) -> Extension:
    """A library that Python loads with ctypes: no module, so no name but its own."""
    return Extension(
        "im2hands_ros.kernels.lib.libim2hands_kernels" + (f"_{level}" if level else ""),
        sorted(map(str, Path("im2hands_ros/kernels/src").glob("*.cpp"))),
        depends=sorted(map(str, Path("im2hands_ros/kernels/src").glob("*.h"))),
        extra_compile_args=[*OPTIONS, "-Wno-psabi", *([f"-march=x86-64-{level}"] if level else [])],
        extra_link_args=["-pthread"],
        language="c++",
        optional=True,
    )


class BuildKernels(build_ext):
    """Shared libraries in place of Python's extension modules."""

    def get_ext_filename(self, name: str) -> str:
        return name.replace(".", "/") + ".so"

    def get_export_symbols(self, extension: Extension) -> list[str]:
        return []

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or True  # as many libraries at once as there are cores
        if self.inplace or self.editable_mode:
            Path("im2hands_ros/kernels/lib").mkdir(exist_ok=True)  # setuptools does not make it

    def build_extension(self, extension: Extension) -> None:
        """With a folder of its own for object files: all libraries are of the same sources."""
        own = copy(self)
        own.build_temp = str(Path(self.build_temp, extension.name.rpartition(".")[2]))
        super(BuildKernels, own).build_extension(extension)

    def run(self) -> None:
        super().run()
        if not self.editable_mode and not any(Path(it).is_file() for it in self.get_outputs()):
            print("im2hands_ros: no C++17 compiler, so no compiled kernels: frames take several")
            print("times as long. Install g++ and run pip again, or leave it so.")


setup(ext_modules=[kernels(level) for level in LEVELS], cmdclass={"build_ext": BuildKernels})
