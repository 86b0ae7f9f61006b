"""`pip install .` installs the part without ROS; colcon builds the whole with CMakeLists.txt."""

from setuptools import setup

setup()
