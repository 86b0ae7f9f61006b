#include "keypoints.h"

#include <cmath>
#include <cstring>

#include "joint_geometry.h"
#include "reader.h"
#include "rows.h"

namespace im2hands {
namespace {

constexpr float HAND_UNIT = 0.05f, BONE_UNIT = 0.03f;
constexpr int BLOCKS = 2, ATTENTION_HEADS = 4;
constexpr size_t BLOCK_SIZE = BLOCKS * (size_t(TOKEN_WIDTH) * 6 * TOKEN_WIDTH + 6 * TOKEN_WIDTH);

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

// Root mean square distance of the fingers' joints from their fingers' planes: the smallest eigenvalue of their scatter (Smith,
// 1961), as in finger_planes.py.
double out_of_plane(const float* joints) {
  constexpr int FINGERS = 5, EACH = 4;
  double sum = 0;
  for (int finger = 0; finger < FINGERS; ++finger) {
    const float* place = joints + 3 * (1 + EACH * finger);
    double mean[3] = {}, scatter[3][3] = {};
    for (int k = 0; k < EACH; ++k)
      for (int i = 0; i < 3; ++i) mean[i] += static_cast<double>(place[3 * k + i]) / EACH;
    for (int k = 0; k < EACH; ++k)
      for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) scatter[i][j] += (place[3 * k + i] - mean[i]) * (place[3 * k + j] - mean[j]) / EACH;
    double middle = (scatter[0][0] + scatter[1][1] + scatter[2][2]) / 3, square = 0;
    for (int i = 0; i < 3; ++i) scatter[i][i] -= middle;
    for (auto& row : scatter)
      for (double value : row) square += value * value / 6;
    double size = std::max(std::sqrt(square), 1e-30);
    for (auto& row : scatter)
      for (double& value : row) value /= size;
    const auto &a = scatter[0], &b = scatter[1], &c = scatter[2];
    double cosine = ((a[1] * b[2] - a[2] * b[1]) * c[0] + (a[2] * b[0] - a[0] * b[2]) * c[1] +
                     (a[0] * b[1] - a[1] * b[0]) * c[2]) / 2;
    double turn = std::acos(std::min(std::max(cosine, -1.0), 1.0)) / 3 + 2.0943951023931953;
    sum += std::max(middle + 2 * size * std::cos(turn), 0.0) / FINGERS;
  }
  return std::sqrt(sum);
}

float rise(float value, float low, float high) { return std::min(std::max((value - low) / (high - low), 0.0f), 1.0f); }

Rows rows(float* at, int count, int width) { return {at, count, width}; }
Rows rows(const float* at, int count, int width) { return {const_cast<float*>(at), count, width}; }

}  // namespace

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

void normalised_tokens(const float* tokens, float* to) {
  for (int joint = 0; joint < BOTH; ++joint, tokens += TOKEN_WIDTH, to += TOKEN_WIDTH) {
    float mean = 0, square = 0;
    for (int i = 0; i < TOKEN_WIDTH; ++i) mean += tokens[i] / TOKEN_WIDTH;
    for (int i = 0; i < TOKEN_WIDTH; ++i) square += (tokens[i] - mean) * (tokens[i] - mean) / TOKEN_WIDTH;
    float scale = 1 / std::sqrt(square + 1e-5f);
    for (int i = 0; i < TOKEN_WIDTH; ++i) to[i] = (tokens[i] - mean) * scale;
  }
}

float soft_plus(float x) { return std::max(x, 0.0f) + std::log1p(std::exp(-std::fabs(x))); }

void JointPair::swap() {
  std::swap_ranges(joints[0], joints[0] + 3 * JOINTS, joints[JOINTS]);
  std::swap(present[0], present[1]);
}

bool KeypointNetwork::read() {
  Reader from(block);
  from.layer(image_, image_bias_, CONTEXT, TOKEN_WIDTH);
  from.take(positions_, TOKENS * TOKEN_WIDTH);
  from.take(identity_, BOTH * TOKEN_WIDTH);
  from.layer(heads_, heads_bias_, TOKEN_WIDTH, HEADS_WIDTH);
  for (float* value : {&ramp_low_, &ramp_high_, &flat_low_, &flat_high_, &plane_low_, &plane_high_, &swap_logit_}) from.take(*value);
  for (Round& round : rounds_) {
    from.layer(round.place_first, round.place_first_bias, GEOMETRY, TOKEN_WIDTH);
    from.layer(round.place_second, round.place_second_bias, TOKEN_WIDTH, TOKEN_WIDTH);
    from.layer(round.look, round.look_bias, SAMPLED, TOKEN_WIDTH);
    from.layer(round.hand_first, round.hand_first_bias, JOINTS * OF_HAND, HAND_WIDTH);
    from.layer(round.hand_second, round.hand_second_bias, HAND_WIDTH, HAND_WIDTH);
    from.layer(round.hand_third, round.hand_third_bias, HAND_WIDTH, JOINTS * TOKEN_WIDTH);
    from.layer(round.step, round.step_bias, TOKEN_WIDTH, HEADS_WIDTH);
    from.take(round.spacing);
    const float* blocks;
    from.take(blocks, BLOCK_SIZE);
    if (from.is_short()) return false;
    round.blocks.width = TOKEN_WIDTH, round.blocks.heads = ATTENTION_HEADS;
    round.blocks.block.assign(blocks, blocks + BLOCK_SIZE);
    if (!round.blocks.read(BLOCKS)) return false;
  }
  return from.exact();
}

// Adds to the joints' tokens what they are shown.
void KeypointNetwork::add_inputs(const Round& round, const float* intrinsics, const JointPair& hands, const float* palms,
                                 const float* sampled, float* tokens) const {
  alignas(64) float geometry[BOTH * GEOMETRY], of_hand[2 * JOINTS * OF_HAND], hidden[BOTH * TOKEN_WIDTH];
  alignas(64) float first[2 * HAND_WIDTH], second[2 * HAND_WIDTH];
  geometry_of(hands, palms, intrinsics, geometry);
  for (int joint = 0; joint < BOTH; ++joint)
    std::memcpy(of_hand + joint * OF_HAND, geometry + joint * GEOMETRY, OF_HAND * sizeof(float));
  constexpr int TOGETHER = JOINTS * OF_HAND;
  linear(round.hand_first, round.hand_first_bias, rows(of_hand, 2, TOGETHER), TOGETHER, HAND_WIDTH, true, false,
         rows(first, 2, HAND_WIDTH));
  linear(round.hand_second, round.hand_second_bias, rows(first, 2, HAND_WIDTH), HAND_WIDTH, HAND_WIDTH, true, false,
         rows(second, 2, HAND_WIDTH));
  linear(round.hand_third, round.hand_third_bias, rows(second, 2, HAND_WIDTH), HAND_WIDTH, JOINTS * TOKEN_WIDTH, false,
         true, rows(tokens, 2, JOINTS * TOKEN_WIDTH));
  linear(round.place_first, round.place_first_bias, rows(geometry, BOTH, GEOMETRY), GEOMETRY, TOKEN_WIDTH, true, false,
         rows(hidden, BOTH, TOKEN_WIDTH));
  linear(round.place_second, round.place_second_bias, rows(hidden, BOTH, TOKEN_WIDTH), TOKEN_WIDTH, TOKEN_WIDTH, false,
         true, rows(tokens, BOTH, TOKEN_WIDTH));
  linear(round.look, round.look_bias, rows(sampled, BOTH, SAMPLED), SAMPLED, TOKEN_WIDTH, false, true,
         rows(tokens, BOTH, TOKEN_WIDTH));
}

void KeypointNetwork::move(const Round& round, const float* tokens, const float* palms, JointPair& hands) const {
  alignas(64) float normal[BOTH * TOKEN_WIDTH], step[BOTH * HEADS_WIDTH];
  normalised_tokens(tokens, normal);
  linear(round.step, round.step_bias, rows(normal, BOTH, TOKEN_WIDTH), TOKEN_WIDTH, HEADS_WIDTH, false, false,
         rows(step, BOTH, HEADS_WIDTH));
  for (int joint = 0; joint < BOTH; ++joint) {
    const float *by = step + joint * HEADS_WIDTH, *palm = palms + 9 * (joint / JOINTS);
    for (int i = 0; i < 3; ++i) {
      float turned = by[0] * palm[3 * i] + by[1] * palm[3 * i + 1] + by[2] * palm[3 * i + 2];
      hands.joints[joint][i] += (turned + by[3 + i]) * STEP_UNIT;
    }
  }
}

// A hand with a small correction stays as given; one as consistent as true ones also with a larger one.
void KeypointNetwork::keep_small(const JointPair& given, JointPair& refined) const {
  for (int hand = 0; hand < 2; ++hand) {
    const float* before = given.joints[hand * JOINTS];
    float *after = refined.joints[hand * JOINTS], square = 0;
    for (int i = 0; i < 3 * JOINTS; ++i) square += (after[i] - before[i]) * (after[i] - before[i]);
    float noise = rise(static_cast<float>(out_of_plane(before)), plane_low_, plane_high_);
    float low = flat_low_ + noise * (ramp_low_ - flat_low_), high = flat_high_ + noise * (ramp_high_ - flat_high_);
    float share = rise(std::sqrt(square / JOINTS), low, high);
    for (int i = 0; i < 3 * JOINTS; ++i) after[i] = before[i] + share * (after[i] - before[i]);
  }
}

float KeypointNetwork::run(const FrameImage& image, JointPair& hands, float* spread) const {
  std::vector<float> tokens(identity_, identity_ + BOTH * TOKEN_WIDTH), sampled(BOTH * SAMPLED);
  tokens.insert(tokens.end(), positions_, positions_ + TOKENS * TOKEN_WIDTH);
  linear(image_, image_bias_, rows(image.context, TOKENS, CONTEXT), CONTEXT, TOKEN_WIDTH, false, true,
         rows(tokens.data() + BOTH * TOKEN_WIDTH, TOKENS, TOKEN_WIDTH));
  JointImage around(image);
  JointPair given = hands;
  alignas(64) float heads[BOTH * HEADS_WIDTH], palms[18];
  float side = 0;
  for (int number = 0; number < KEYPOINT_ROUNDS; ++number) {
    const Round& round = rounds_[number];
    around.sample(hands, round.spacing, sampled.data());
    for (int hand = 0; hand < 2; ++hand) palm_axes(hands.joints + hand * JOINTS, hand == 0, palms + 9 * hand);
    add_inputs(round, image.intrinsics, hands, palms, sampled.data(), tokens.data());
    uint8_t mask[BOTH + TOKENS];
    for (int i = 0; i < BOTH + TOKENS; ++i) mask[i] = i >= BOTH || hands.present[i / JOINTS];
    round.blocks.run(tokens.data(), BOTH + TOKENS, mask);
    if (number > 0) {
      move(round, tokens.data(), palms, hands);
      continue;
    }
    side = this->side(tokens.data(), hands, heads);
    if (side > swap_logit_) {
      // Swapped hands start again: the first round sampled the wrong heat maps.
      hands.swap();
      given.swap();
    } else {
      move(round, tokens.data(), palms, hands);
    }
  }
  apply_heads(tokens.data(), heads);
  for (int joint = 0; joint < BOTH; ++joint) spread[joint] = soft_plus(heads[joint * HEADS_WIDTH + 1]) * STEP_UNIT;
  keep_small(given, hands);
  return side;
}

void KeypointNetwork::apply_heads(const float* tokens, float* heads) const {
  linear(heads_, heads_bias_, rows(tokens, BOTH, TOKEN_WIDTH), TOKEN_WIDTH, HEADS_WIDTH, false, false,
         rows(heads, BOTH, HEADS_WIDTH));
}

// The mean over the joints of the present hands.
float KeypointNetwork::side(const float* tokens, const JointPair& hands, float* heads) const {
  apply_heads(tokens, heads);
  float sum = 0;
  int count = hands.present[0] + hands.present[1];
  for (int joint = 0; joint < BOTH; ++joint)
    if (hands.present[joint / JOINTS]) sum += heads[joint * HEADS_WIDTH] / JOINTS;
  return sum / std::max(count, 1);
}

}  // namespace im2hands
