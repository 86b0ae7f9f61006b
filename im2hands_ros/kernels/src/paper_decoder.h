// The published articulated decoder (networks/paper/decoder.py): a small network for each bone, and the maximum of all.
#pragma once

#include <cstdint>
#include <vector>

namespace im2hands {

struct PaperDecoder {
  std::vector<float> block;
  int bones = 0, width = 0, image = 0;  // image features and a one, a multiple of 4
  // Per bone, [input][output]: width to width with the input added; third: of the image as well, with its bias last.
  const float *second, *second_bias, *third, *fourth, *fourth_bias, *last, *last_bias;

  bool read();
  // first (bones, 4, width): of points and a one. points (count, 3), image (count, image). out (count)
  void run(const float* first, const float* points, const float* image, int64_t count, float* out) const;
};

}  // namespace im2hands
