// The keypoint refinement (networks/compact/keypoint_refinement.py) of one frame.
#pragma once

#include <cstdint>
#include <vector>

#include "joint_round.h"

namespace im2hands {

constexpr int GRID = 48, PIXEL_WIDTH = 32, CONTEXT = 192, TOKENS = 36, GEOMETRY = 18, OF_HAND = 6;
constexpr int WINDOWS = 2, WINDOW_REACH = 4, PATCH_REACH = 3, MOMENTS = 4;
constexpr int PATCH = (2 * PATCH_REACH + 1) * (2 * PATCH_REACH + 1), SAMPLED = MOMENTS * (1 + WINDOWS) + PATCH * PIXEL_WIDTH;
constexpr int KEYPOINT_ROUNDS = 3;

// Joints of the left hand, then of the right one, metres, camera frame.
struct JointPair {
  float joints[BOTH][3];
  bool present[2];

  void swap();
};

struct FrameImage {
  const float *pixels, *context, *heat;  // [48][48][32], [36][192], [42][48][48]
  const float* intrinsics;               // [3][3], pixels of the crop
};

// What is read around the joints: networks/compact/joint_features.py.
class JointImage {
 public:
  explicit JointImage(const FrameImage& image);

  // [42][SAMPLED], `spacing` feature pixels between a patch's samples.
  void sample(const JointPair& hands, float spacing, float* into) const;

 private:
  struct Moments {
    float x, y, spread, peak, mass;
  };

  void sample_joint(int joint, const float* place, float spacing, float* into) const;
  void window(int joint, float x, float y, float spacing, float scale, float* into) const;
  void patch(float x, float y, float spacing, float* into) const;

  FrameImage image_;
  Moments whole_[BOTH];
};

class KeypointNetwork {
 public:
  std::vector<float> block;

  bool read();
  // Refined hands in place; `spread` (42) metres; returns the logit that the sides are swapped.
  float run(const FrameImage& image, JointPair& hands, float* spread) const;

 private:
  float side(const float* tokens, const JointPair& hands, float* heads) const;
  void keep_small(const JointPair& given, JointPair& refined) const;

  RowLayer image_, heads_;              // heads: side, spread
  const float *positions_, *identity_;  // [36][128], [42][128]
  float ramp_low_, ramp_high_, flat_low_, flat_high_, plane_low_, plane_high_, swap_logit_;
  float spacings_[KEYPOINT_ROUNDS];
  JointRound rounds_[KEYPOINT_ROUNDS];
};

}  // namespace im2hands
