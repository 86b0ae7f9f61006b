// The nearest points of a cloud.
#include <algorithm>
#include <vector>

#include "pool.h"
#include "vector_attention.h"
#include "vector.h"

namespace im2hands {

namespace {

constexpr int AT_ONCE = 256;

// Squares of the distances from one point to all (3, padded) of a cloud.
INLINE void distances(const float* from, const float* planes, int padded, float* out) {
  for (int i = 0; i < padded; i += LANES) {
    Floats x = load(planes + i) - from[0], y = load(planes + padded + i) - from[1], z = load(planes + 2 * padded + i) - from[2];
    store(out + i, x * x + y * y + z * z);
  }
}

// Numbers of the `wanted` least of `count` values, by insertion; the lower number wins a tie.
void least(const float* values, int count, int wanted, float* kept, int32_t* out) {
  int there = 0;
  for (int i = 0; i < count; ++i) {
    if (there == wanted && !(values[i] < kept[there - 1])) continue;
    int place = there < wanted ? there++ : there - 1;
    for (; place > 0 && values[i] < kept[place - 1]; --place) kept[place] = kept[place - 1], out[place] = out[place - 1];
    kept[place] = values[i], out[place] = i;
  }
}

}  // namespace

void nearest(const float* centres, int64_t count, const float* positions, int size, int neighbours, int32_t* out) {
  int padded = (size + LANES - 1) / LANES * LANES;
  std::vector<float> planes(3 * padded);
  for (int axis = 0; axis < 3; ++axis)
    for (int i = 0; i < size; ++i) planes[axis * padded + i] = positions[3 * i + axis];
  in_parallel(static_cast<int>((count + AT_ONCE - 1) / AT_ONCE), [&](int number) {
    std::vector<float> values(padded), kept(neighbours);
    for (int64_t p = int64_t(number) * AT_ONCE; p < std::min<int64_t>(count, int64_t(number + 1) * AT_ONCE); ++p) {
      distances(centres + 3 * p, planes.data(), padded, values.data());
      least(values.data(), size, neighbours, kept.data(), out + p * neighbours);
    }
  });
}

}  // namespace im2hands
