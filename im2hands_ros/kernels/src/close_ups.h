// Close-ups around joints, and the keypoint refinement that reads them (networks/compact/close_ups.py and
// close_up_refinement.py), of one frame.
#pragma once

#include <cstdint>
#include <vector>

#include "blocks.h"
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

class CloseUpNetwork {
 public:
  std::vector<float> block;

  bool read();
  // Refined hands in place, from those that the close-ups are around; given (42, 3): the tracker's. spread (42) metres.
  void run(const CloseFrames& frames, const float* given, JointPair& hands, float* spread) const;

 private:
  struct Round {
    const float *place_first, *place_first_bias, *place_second, *place_second_bias;  // [33][128], [128][128]
    const float *look, *look_bias;                                                   // [128][128]
    const float *hand_first, *hand_first_bias, *hand_second, *hand_second_bias;      // [252][256], [256][256]
    const float *hand_third, *hand_third_bias;                                       // [256][21 128]
    const float *step, *step_bias;                                                   // [128][16], 8 of them; norm folded in
    Blocks blocks;
  };
  struct Seen {
    std::vector<float> features;        // [42][128]
    alignas(64) float offsets[BOTH * HEADS_WIDTH];  // 3 of them
  };

  void encode(const float* colours, const float* bones, int joint, float* flat) const;
  Seen see(const CloseFrames& frames, const JointPair& hands) const;
  void add_inputs(const Round& round, const CloseFrames& frames, const Seen& seen, const float* given, const JointPair& begin,
                  const JointPair& hands, const float* palms, float* tokens) const;
  void move(const Round& round, const CloseFrames& frames, const float* tokens, const float* palms, JointPair& hands) const;

  const float *first_, *first_bias_;    // [5 5 3][32]
  const float *second_, *second_bias_;  // [3 3 32 + 3 3 6][64]
  const float* who_;                    // [21][64]
  const float *more_[MORE], *more_bias_[MORE];  // [3 3 64][64]
  const float *flat_, *flat_bias_;      // [6 6 64][128]
  const float *offset_, *offset_bias_;  // [128][16]
  const float* identity_;               // [42][128]
  const float *spread_, *spread_bias_;  // [128][16], 1 of them
  Round rounds_[CLOSE_ROUNDS];
};

}  // namespace im2hands
