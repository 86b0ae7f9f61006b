// Self-attention among tokens: the blocks of networks/attention.py.
#pragma once

#include <cstdint>
#include <vector>

namespace im2hands {

constexpr int MOST_CHANNELS = 256, MOST_SEQUENCE = 1024;

struct Block {
  const float *attention, *attention_bias;    // [width][3 width] query, key, value; norm and scale folded in
  const float *output, *output_bias;          // [width][width]
  const float *feed_first, *feed_first_bias;  // [width][width] norm folded in
  const float *feed_second, *feed_second_bias;
};

struct Blocks {
  int width, heads;
  std::vector<float> block;
  std::vector<Block> parts;

  bool read(int count);  // of this many blocks; false when the size does not fit
  // tokens (count, width) in place; mask (count) is 0 for tokens that are not attended to, or null.
  void run(float* tokens, int count, const uint8_t* mask) const;
};

}  // namespace im2hands
