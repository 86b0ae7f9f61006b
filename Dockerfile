# The node and its demo on ROS 2 Jazzy:
#   docker build -t im2hands_ros .
#   docker run --rm -it --network host im2hands_ros                      # the demo, in a browser: http://127.0.0.1:8080
#   docker run --rm -it --network host im2hands_ros ros2 launch im2hands_ros im2hands.launch.py image:=/camera/image_raw \
#       camera_info:=/camera/camera_info keypoints:=/tracker/hands
# --network host: the browser view serves 127.0.0.1 only, and DDS finds the other nodes. For a GPU build with
# --build-arg PIP_EXTRA_INDEX_URL= and run with --gpus all (NVIDIA's container toolkit).
# Not built yet: there was no Docker engine where this was written. Its commands are those of README.md, "With ROS 2".
FROM ros:jazzy-ros-base

# rosdep installs beside apt's Python packages; torch comes without CUDA unless asked for.
ARG PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
ARG PIP_BREAK_SYSTEM_PACKAGES=1
ARG PIP_NO_CACHE_DIR=1
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /ros2_ws

# Dependencies first: editing a source file does not install them again.
COPY package.xml src/im2hands_ros/
COPY requirements src/im2hands_ros/requirements
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-pip \
    && rosdep update --rosdistro "$ROS_DISTRO" \
    && rosdep install --from-paths src --ignore-src -y \
    && grep -hE '^(safetensors|viser)==' src/im2hands_ros/requirements/*.txt > /tmp/requirements.txt \
    && python3 -m pip install -r /tmp/requirements.txt \
    && rm -rf /var/lib/apt/lists/*

COPY . src/im2hands_ros
RUN source "/opt/ros/$ROS_DISTRO/setup.bash" \
    && colcon build --packages-select im2hands_ros --cmake-args -DBUILD_TESTING=OFF

# Ubuntu's own user without privileges; logs go to its home.
USER ubuntu
WORKDIR /home/ubuntu
ENTRYPOINT ["/bin/bash", "-c", "source /ros2_ws/install/setup.bash && exec \"$@\"", "--"]
CMD ["ros2", "launch", "im2hands_ros", "demo.launch.py", "view:=browser"]
