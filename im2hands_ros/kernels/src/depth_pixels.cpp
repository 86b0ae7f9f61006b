// Pixels of a depth image around hands, each a mean with those around it.
#include <cmath>

#include "skin.h"

namespace im2hands {
namespace {

// Mean and its deviation of those of the nine pixels around `at` that are alike; false where there are too few.
bool smooth(const float* at, int width, const Alike& alike, double* mean, double* deviation) {
  double centre = *at, limit = alike.step + alike.share * centre, sum = 0, values[9];
  int known = 0;
  for (int row = -1; row <= 1; ++row)
    for (int column = -1; column <= 1; ++column) {
      double value = at[row * width + column];
      if (value > 0 && std::fabs(value - centre) < limit) sum += values[known++] = value;
    }
  if (known < alike.least) return false;
  double squares = 0;
  *mean = sum / known;
  for (int i = 0; i < known; ++i) squares += (values[i] - *mean) * (values[i] - *mean);
  *deviation = std::sqrt(squares) / known;
  return true;
}

bool within(const int32_t* box, int u, int v) { return u >= box[0] && v >= box[1] && u < box[2] && v < box[3]; }

}  // namespace

int64_t known_pixels(const float* depth, int width, const int32_t* boxes, int count, Alike alike, int32_t* places,
                     double* mean, double* deviation, int64_t room) {
  int64_t found = 0;
  for (int number = 0; number < count; ++number) {
    const int32_t* box = boxes + 5 * number;
    for (int v = box[1]; v < box[3]; v += box[4])
      for (int u = box[0]; u < box[2]; u += box[4]) {
        if (found == room) return found;
        if (number && within(box - 5, u, v)) continue;
        if (!smooth(depth + int64_t(v) * width + u, width, alike, mean + found, deviation + found)) continue;
        places[2 * found] = u, places[2 * found + 1] = v;
        ++found;
      }
  }
  return found;
}

}  // namespace im2hands
