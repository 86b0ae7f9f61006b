// A round of a refinement of joints (networks/compact/joint_round.py): tokens of what the joints are shown, attention, steps.
#pragma once

#include <cstdint>

#include "blocks.h"
#include "reader.h"
#include "rows.h"

namespace im2hands {

constexpr int JOINTS = 21, BOTH = 2 * JOINTS, TOKEN_WIDTH = 128, HAND_WIDTH = 256, HEADS_WIDTH = 16;

struct JointRound {
  // Of so many features of a joint, of one that its whole hand is described with, and of the image around it.
  bool read(Reader& from, int of_joint, int of_hand, int looked);

  // Adds to the joints' tokens [42][128] [42][of_hand], [42][of_joint] and [42][looked].
  void add_inputs(const float* of_hand, const float* of_joint, const float* looked, float* tokens) const;
  // [42][16] of the joints' tokens, in units of the steps.
  void steps(const float* tokens, float* to) const;

  Blocks blocks;

 private:
  RowLayer place_first_, place_second_, look_, hand_first_, hand_second_, hand_third_;
  RowLayer step_;  // the norm folded in
};

// The first 6 of a joint's step: in the axes of the palm, the columns of [3][3], and of the camera; to (3) in the camera's.
void step_in_camera(const float* step, const float* palm, float* to);

}  // namespace im2hands
