// Close-ups of the picture, and maps of the bones in them.
#include "close_ups.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "joint_geometry.h"
#include "pool.h"

namespace im2hands {
namespace {

constexpr float DEPTH_UNIT = 0.03f, FAR = 1e4f, ORDER = 1e-3f, TWICE_BLUR = 18.0f, REST = 13.0f;
constexpr int AREA = CLOSE_SIDE * CLOSE_SIDE, EACH = AREA * 3, BONES = JOINTS - 1;

// Between which pixels of a row or column a place lies; beyond the border it is on the border.
struct Between {
  int low, high;
  float share;

  Between(float place, int size) {
    place = std::min(std::max(place, 0.0f), size - 1.0f);
    low = static_cast<int>(place);
    high = std::min(low + 1, size - 1);
    share = place - low;
  }
};

void sample_one(const CloseFrames& frames, int joint, float* to) {
  const float *middle = frames.pixels + 2 * joint, *axes = frames.axes + 4 * joint;
  float step = frames.step[joint / JOINTS];
  for (int v = 0; v < CLOSE_SIDE; ++v)
    for (int u = 0; u < CLOSE_SIDE; ++u, to += 3) {
      float by_x = (u - (CLOSE_SIDE - 1) / 2.0f) * step, by_y = (v - (CLOSE_SIDE - 1) / 2.0f) * step;
      Between across(middle[0] + by_x * axes[0] + by_y * axes[2], frames.columns);
      Between down(middle[1] + by_x * axes[1] + by_y * axes[3], frames.rows);
      const uint8_t* above = frames.image + static_cast<std::ptrdiff_t>(down.low) * frames.columns * 3;
      const uint8_t* below = frames.image + static_cast<std::ptrdiff_t>(down.high) * frames.columns * 3;
      for (int c = 0; c < 3; ++c) {
        float upper = above[3 * across.low + c] + across.share * (above[3 * across.high + c] - above[3 * across.low + c]);
        float lower = below[3 * across.low + c] + across.share * (below[3 * across.high + c] - below[3 * across.low + c]);
        to[c] = upper + down.share * (lower - upper);
      }
    }
}

void normalise_hand(float* colours) {
  constexpr int COUNT = JOINTS * AREA;
  for (int c = 0; c < 3; ++c) {
    double sum = 0, squares = 0;
    for (int i = 0; i < COUNT; ++i) sum += colours[3 * i + c];
    float mean = static_cast<float>(sum / COUNT);
    for (int i = 0; i < COUNT; ++i) squares += (colours[3 * i + c] - mean) * (colours[3 * i + c] - mean);
    float scale = 1 / (static_cast<float>(std::sqrt(squares / COUNT)) + REST);
    for (int i = 0; i < COUNT; ++i) colours[3 * i + c] = (colours[3 * i + c] - mean) * scale;
  }
}

// One bone in a close-up: where it begins, from there to its end, and one over its length's square.
struct Bone {
  float x, y, dx, dy, over, deeper, order;
  int map;
};

Bone bone_at(const CloseFrames& frames, const JointPair& hands, int joint, int child) {
  int hand = child / JOINTS, parent = hand * JOINTS + PARENTS[child % JOINTS];
  const float *middle = frames.pixels + 2 * joint, *axes = frames.axes + 4 * joint;
  float step = frames.step[joint / JOINTS], ends[2][2];
  for (int end = 0; end < 2; ++end) {
    const float* place = frames.pixels + 2 * (end ? child : parent);
    for (int i = 0; i < 2; ++i)
      ends[end][i] = ((place[0] - middle[0]) * axes[2 * i] + (place[1] - middle[1]) * axes[2 * i + 1]) / step;
  }
  Bone bone{ends[0][0], ends[0][1], ends[1][0] - ends[0][0], ends[1][1] - ends[0][1], 0, 0, 0, 3};
  // Bones meet in joints: which of them is the nearest there must not be left to chance.
  bone.order = (hand * BONES + child % JOINTS - 1) * ORDER;
  bone.over = 1 / std::max(bone.dx * bone.dx + bone.dy * bone.dy, 1e-4f);
  float depth = (hands.joints[parent][2] + hands.joints[child][2]) / 2 - hands.joints[joint][2];
  bone.deeper = std::min(std::max(depth / DEPTH_UNIT, -2.0f), 2.0f);
  if (hand == joint / JOINTS) bone.map = child == joint ? 0 : parent == joint ? 1 : 2;
  return bone;
}

void draw_one(const CloseFrames& frames, const JointPair& hands, int joint, float* to) {
  Bone bones[2 * BONES];
  int count = 0;
  for (int child = 0; child < BOTH; ++child) {
    if (child % JOINTS == 0) continue;
    if (child / JOINTS != joint / JOINTS && !hands.present[child / JOINTS]) continue;
    bones[count++] = bone_at(frames, hands, joint, child);
  }
  constexpr float CELL = static_cast<float>(CLOSE_SIDE) / CELLS;
  for (int v = 0; v < CELLS; ++v)
    for (int u = 0; u < CELLS; ++u, to += BONE_MAPS) {
      float x = (u + 0.5f) * CELL - CLOSE_SIDE / 2.0f, y = (v + 0.5f) * CELL - CLOSE_SIDE / 2.0f;
      float least[4] = {FAR, FAR, FAR, FAR}, deeper[4] = {};
      for (int i = 0; i < count; ++i) {
        const Bone& bone = bones[i];
        float rx = x - bone.x, ry = y - bone.y;
        float share = std::min(std::max((rx * bone.dx + ry * bone.dy) * bone.over, 0.0f), 1.0f);
        float off_x = rx - share * bone.dx, off_y = ry - share * bone.dy;
        float distance = off_x * off_x + off_y * off_y + bone.order;
        if (distance < least[bone.map]) least[bone.map] = distance, deeper[bone.map] = bone.deeper;
      }
      for (int map = 0; map < 4; ++map) least[map] = std::exp(-least[map] / TWICE_BLUR);
      to[0] = least[0], to[1] = least[1];
      to[2] = least[2], to[3] = least[2] * deeper[2];
      to[4] = least[3], to[5] = least[3] * deeper[3];
    }
}

}  // namespace

void sample_close_ups(const CloseFrames& frames, float* colours) {
  in_parallel(BOTH, [&](int joint) { sample_one(frames, joint, colours + static_cast<std::ptrdiff_t>(joint) * EACH); });
  for (int hand = 0; hand < 2; ++hand) normalise_hand(colours + static_cast<std::ptrdiff_t>(hand) * JOINTS * EACH);
}

void draw_bones(const CloseFrames& frames, const JointPair& hands, float* maps) {
  in_parallel(BOTH, [&](int joint) { draw_one(frames, hands, joint, maps + joint * CELLS * CELLS * BONE_MAPS); });
}

}  // namespace im2hands
