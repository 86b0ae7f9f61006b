#include "joint_geometry.h"

#include <algorithm>
#include <cmath>

namespace im2hands {
namespace {

constexpr float HAND_UNIT = 0.05f, BONE_UNIT = 0.03f;

void normalise(const float* x, float least, float* to) {
  float length = std::max(std::sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]), least);
  for (int i = 0; i < 3; ++i) to[i] = x[i] / length;
}
void cross(const float* a, const float* b, float* to) {
  for (int i = 0; i < 3; ++i) to[i] = a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3];
}

void centre_of(const float (*joints)[3], float* centre) {
  for (int i = 0; i < 3; ++i) {
    centre[i] = 0;
    for (int j = 0; j < JOINTS; ++j) centre[i] += joints[j][i] / JOINTS;
  }
}

void palm_axes(const float (*joints)[3], bool left, float* axes) {
  float forward[3], across[3], x[3], y[3], z[3], normal[3];
  for (int i = 0; i < 3; ++i) {
    forward[i] = (joints[5][i] + joints[9][i] + joints[13][i] + joints[17][i]) / 4 - joints[0][i];
    across[i] = joints[5][i] - joints[17][i];
  }
  normalise(forward, 1e-4f, x);
  cross(x, across, normal);
  normalise(normal, 1e-4f, z);
  cross(z, x, y);
  for (int i = 0; i < 3; ++i) axes[3 * i] = x[i], axes[3 * i + 1] = y[i], axes[3 * i + 2] = left ? -z[i] : z[i];
}

}  // namespace

void palms_of(const JointPair& hands, float* palms) {
  for (int hand = 0; hand < 2; ++hand) palm_axes(hands.joints + hand * JOINTS, hand == 0, palms + 9 * hand);
}

void geometry_of(const JointPair& hands, const float* palms, const float* k, float* to) {
  float centres[2][3], both = hands.present[0] && hands.present[1] ? 1.0f : 0.0f;
  for (int hand = 0; hand < 2; ++hand) centre_of(hands.joints + hand * JOINTS, centres[hand]);
  for (int number = 0; number < BOTH; ++number, to += GEOMETRY) {
    int hand = number / JOINTS;
    const float(*joints)[3] = hands.joints + hand * JOINTS;
    const float *place = hands.joints[number], *parent = joints[PARENTS[number % JOINTS]], *palm = palms + 9 * hand;
    float square = 0, projected[3];
    for (int i = 0; i < 3; ++i) {
      to[i] = (place[i] - centres[hand][i]) / HAND_UNIT;
      to[3 + i] = 0;
      for (int a = 0; a < 3; ++a) to[3 + i] += (place[a] - joints[0][a]) * palm[3 * a + i] / HAND_UNIT;
      to[6 + i] = (place[i] - centres[1 - hand][i]) * both / (4 * HAND_UNIT);
      to[10 + i] = (place[i] - parent[i]) / BONE_UNIT;
      square += (place[i] - parent[i]) * (place[i] - parent[i]);
      projected[i] = k[3 * i] * place[0] + k[3 * i + 1] * place[1] + k[3 * i + 2] * place[2];
    }
    float depth = std::max(projected[2], 0.05f);
    to[9] = both;
    to[13] = std::sqrt(square) / BONE_UNIT;
    to[14] = projected[0] / depth / 96 - 1;
    to[15] = projected[1] / depth / 96 - 1;
    to[16] = depth;
    to[17] = k[0] / 1000;
  }
}

}  // namespace im2hands
