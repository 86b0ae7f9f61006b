#include "keypoints.h"

#include <cmath>
#include <cstring>

#include "joint_geometry.h"
#include "reader.h"

namespace im2hands {
namespace {

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

// Adds to the joints' tokens what they are shown.
void add_inputs(const JointRound& round, const float* intrinsics, const JointPair& hands, const float* palms,
                const float* sampled, float* tokens) {
  alignas(64) float geometry[BOTH * GEOMETRY], of_hand[BOTH * OF_HAND];
  geometry_of(hands, palms, intrinsics, geometry);
  for (int joint = 0; joint < BOTH; ++joint)
    std::memcpy(of_hand + joint * OF_HAND, geometry + joint * GEOMETRY, OF_HAND * sizeof(float));
  round.add_inputs(of_hand, geometry, sampled, tokens);
}

void move(const JointRound& round, const float* tokens, const float* palms, JointPair& hands) {
  alignas(64) float steps[BOTH * HEADS_WIDTH];
  round.steps(tokens, steps);
  for (int joint = 0; joint < BOTH; ++joint) {
    float by[3];
    step_in_camera(steps + joint * HEADS_WIDTH, palms + 9 * (joint / JOINTS), by);
    for (int i = 0; i < 3; ++i) hands.joints[joint][i] += by[i] * STEP_UNIT;
  }
}

}  // namespace

float soft_plus(float x) { return std::max(x, 0.0f) + std::log1p(std::exp(-std::fabs(x))); }

void JointPair::swap() {
  std::swap_ranges(joints[0], joints[0] + 3 * JOINTS, joints[JOINTS]);
  std::swap(present[0], present[1]);
}

bool KeypointNetwork::read() {
  Reader from(block);
  image_.read(from, CONTEXT, TOKEN_WIDTH);
  from.take(positions_, TOKENS * TOKEN_WIDTH);
  from.take(identity_, BOTH * TOKEN_WIDTH);
  heads_.read(from, TOKEN_WIDTH, HEADS_WIDTH);
  for (float* value : {&ramp_low_, &ramp_high_, &flat_low_, &flat_high_, &plane_low_, &plane_high_, &swap_logit_}) from.take(*value);
  for (float& spacing : spacings_) from.take(spacing);
  for (JointRound& round : rounds_)
    if (!round.read(from, GEOMETRY, OF_HAND, SAMPLED)) return false;
  return from.exact();
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
  image_.add(image.context, TOKENS, tokens.data() + BOTH * TOKEN_WIDTH);
  JointImage around(image);
  JointPair given = hands;
  alignas(64) float heads[BOTH * HEADS_WIDTH], palms[18];
  float side = 0;
  for (int number = 0; number < KEYPOINT_ROUNDS; ++number) {
    const JointRound& round = rounds_[number];
    around.sample(hands, spacings_[number], sampled.data());
    palms_of(hands, palms);
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
  heads_.run(tokens.data(), BOTH, heads);
  for (int joint = 0; joint < BOTH; ++joint) spread[joint] = soft_plus(heads[joint * HEADS_WIDTH + 1]) * STEP_UNIT;
  keep_small(given, hands);
  return side;
}

// The mean over the joints of the present hands.
float KeypointNetwork::side(const float* tokens, const JointPair& hands, float* heads) const {
  heads_.run(tokens, BOTH, heads);
  float sum = 0;
  int count = hands.present[0] + hands.present[1];
  for (int joint = 0; joint < BOTH; ++joint)
    if (hands.present[joint / JOINTS]) sum += heads[joint * HEADS_WIDTH] / JOINTS;
  return sum / std::max(count, 1);
}

}  // namespace im2hands
