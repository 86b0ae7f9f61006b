// Constants and geometry of the search's lattice, as in surface/lattice.py and surface/pruned_search.py.
#pragma once

#include <algorithm>

namespace im2hands {

constexpr int COARSEST_BASE = 16;
constexpr int FEWEST_CELLS = 64;         // rounds with fewer cells a side are not interpolated
constexpr int CHECKS = 2;                // evaluations after which guesses are checked against them
constexpr float BELIEF = 0.25f;          // share of a parent's range within which a guess is believed
constexpr float PREDICTION_SLACK = 0.03f;
constexpr float LARGEST = 1e4f;

// Side of the first round's cells: the largest power of two that leaves COARSEST_BASE of them.
inline int coarsest_step(int resolution) {
  int step = 1;
  while (resolution % (2 * step) == 0 && resolution / (2 * step) >= COARSEST_BASE) step *= 2;
  return step;
}

// Square of a point's distance to a segment [2][3].
inline float square_to_segment(const float* point, const float* segment) {
  float along[3], from[3], length = 0, reached = 0, square = 0;
  for (int axis = 0; axis < 3; ++axis) {
    along[axis] = segment[3 + axis] - segment[axis];
    from[axis] = point[axis] - segment[axis];
    length += along[axis] * along[axis];
    reached += along[axis] * from[axis];
  }
  float share = std::min(std::max(reached / std::max(length, 1e-20f), 0.0f), 1.0f);
  for (int axis = 0; axis < 3; ++axis) {
    float off = from[axis] - share * along[axis];
    square += off * off;
  }
  return square;
}

}  // namespace im2hands
