// Attention of points to their neighbours with a weight per channel (networks/paper/vector_attention.py).
#pragma once

#include <cstdint>
#include <vector>

namespace im2hands {

// What points attend to: positions (count, 3), keys and values (count, width), both through the layers that depend on
// the neighbour alone.
struct AttendedCloud {
  const float *positions, *keys, *values;
  int count;
};

// Points (count, 3) with the numbers of their neighbours (count, neighbours), and queries (count, width), or null where
// one query for all is in the keys. whole: score and value (2, width) of one more neighbour of all, or null.
struct AttendingPoints {
  const float *positions, *queries, *whole;
  const int32_t* near;
  int64_t count;
  int neighbours;
};

// Numbers (count, neighbours) of the points nearest to each of the centres (count, 3), of positions (size, 3), nearest first.
void nearest(const float* centres, int64_t count, const float* positions, int size, int neighbours, int32_t* out);

struct VectorAttention {
  std::vector<float> block;
  int width = 0;  // a multiple of 16
  const float *first, *first_bias, *second, *joint, *score;  // [input][output]

  bool read();
  // out (count, width)
  void run(const AttendedCloud& cloud, const AttendingPoints& points, float* out) const;
};

}  // namespace im2hands
