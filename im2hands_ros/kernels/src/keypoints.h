// The keypoint refinement (networks/compact/keypoint_refinement.py) of one frame.
#pragma once

#include <cstdint>
#include <vector>

#include "blocks.h"

namespace im2hands {

constexpr int JOINTS = 21, BOTH = 2 * JOINTS, GRID = 48, PIXEL_WIDTH = 32, CONTEXT = 192, TOKENS = 36;
constexpr int TOKEN_WIDTH = 128, HAND_WIDTH = 256, GEOMETRY = 18, OF_HAND = 6;
constexpr int WINDOWS = 2, WINDOW_REACH = 4, PATCH_REACH = 3, MOMENTS = 4;
constexpr int PATCH = (2 * PATCH_REACH + 1) * (2 * PATCH_REACH + 1), SAMPLED = MOMENTS * (1 + WINDOWS) + PATCH * PIXEL_WIDTH;
constexpr int KEYPOINT_ROUNDS = 3, HEADS_WIDTH = 16;

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
  struct Round {
    const float *place_first, *place_first_bias, *place_second, *place_second_bias;  // [18][128], [128][128]
    const float *look, *look_bias;                                                   // [SAMPLED][128]
    const float *hand_first, *hand_first_bias, *hand_second, *hand_second_bias;      // [126][256], [256][256]
    const float *hand_third, *hand_third_bias;                                       // [256][21 128]
    const float *step, *step_bias;                                                   // [128][16], 6 of them; norm folded in
    float spacing;
    Blocks blocks;
  };

  void add_inputs(const Round& round, const float* intrinsics, const JointPair& hands, const float* palms,
                  const float* sampled, float* tokens) const;
  void move(const Round& round, const float* tokens, const float* palms, JointPair& hands) const;
  void apply_heads(const float* tokens, float* heads) const;
  float side(const float* tokens, const JointPair& hands, float* heads) const;
  void keep_small(const JointPair& given, JointPair& refined) const;

  const float *image_, *image_bias_, *positions_, *identity_;  // [192][128], [36][128], [42][128]
  const float *heads_, *heads_bias_;                           // [128][16]: side, spread
  float ramp_low_, ramp_high_, flat_low_, flat_high_, plane_low_, plane_high_, swap_logit_;
  Round rounds_[KEYPOINT_ROUNDS];
};

}  // namespace im2hands
