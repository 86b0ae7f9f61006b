// Close-ups around joints, and the keypoint refinement that reads them (networks/compact/close_ups.py and
// close_up_refinement.py), of one frame.
#pragma once

#include <cstdint>
#include <vector>

#include "keypoints.h"

namespace im2hands {

constexpr int CLOSE_SIDE = 24, CELLS = 6, BONE_MAPS = 6, FIRST_SIDE = CLOSE_SIDE / 2, FIRST = 32, SECOND = 64;
constexpr int CLOSE_INPUTS = 33, OF_WHOLE_HAND = 12, CLOSE_ROUNDS = 2, MORE = 2;

struct CloseFrames {
  const uint8_t* image;  // [rows][columns][3]
  int rows, columns;
  const float *pixels, *axes, *step;  // [42][2], [42][2][2], [2]
};

// [42][24][24][3], normalised over each hand.
void sample_close_ups(const CloseFrames& frames, float* colours);
// [42][6][6][6], maps last.
void draw_bones(const CloseFrames& frames, const JointPair& hands, float* maps);

// What close-ups show of the joints.
struct SeenClose {
  std::vector<float> features;                    // [42][128]
  alignas(64) float offsets[BOTH * HEADS_WIDTH];  // 3 of them
};

class CloseUpNetwork {
 public:
  std::vector<float> block;

  bool read();
  // Refined hands in place, from those that the close-ups are around; given (42, 3): the tracker's. spread (42) metres.
  void run(const CloseFrames& frames, const float* given, JointPair& hands, float* spread) const;

 private:
  void encode(const float* colours, const float* bones, int joint, float* flat) const;
  SeenClose see(const CloseFrames& frames, const JointPair& hands) const;

  RowLayer first_, second_, more_[MORE];  // of [5 5 3], [3 3 32 + 3 3 6] and [3 3 64]
  RowLayer flat_, offset_, spread_;
  const float *who_, *identity_;  // [21][64], [42][128]
  JointRound rounds_[CLOSE_ROUNDS];
};

}  // namespace im2hands
