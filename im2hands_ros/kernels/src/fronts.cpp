// Where rays meet spheres.
#include <cmath>
#include <limits>
#include <vector>

#include "skin.h"
#include "vector.h"

namespace im2hands {

void fronts(const double* rays, int64_t count, const double* spheres, int spheres_count, const double* shares,
            int shares_count, double* out) {
  constexpr float NEVER = std::numeric_limits<float>::infinity();
  std::vector<float> balls(size_t(5 + shares_count) * spheres_count);
  float *square = balls.data() + 3 * spheres_count, *reach = square + spheres_count;
  for (int s = 0; s < spheres_count; ++s) {
    const double* ball = spheres + 4 * s;
    for (int axis = 0; axis < 3; ++axis) balls[3 * s + axis] = float(ball[axis]);
    square[s] = float(ball[0] * ball[0] + ball[1] * ball[1] + ball[2] * ball[2]);
    for (int k = 0; k < shares_count; ++k) reach[k * spheres_count + s] = float(shares[k] * ball[3] * shares[k] * ball[3]);
  }
  for (int64_t from = 0; from < count; from += LANES) {
    Floats ray[3] = {};
    double length[LANES];
    for (int l = 0; l < LANES; ++l) {
      const double* given = rays + 3 * (from + l < count ? from + l : count - 1);
      length[l] = std::sqrt(given[0] * given[0] + given[1] * given[1] + given[2] * given[2]);
      for (int axis = 0; axis < 3; ++axis) ray[axis][l] = float(given[axis] / length[l]);
    }
    for (int k = 0; k < shares_count; ++k) {
      const float* limit = reach + k * spheres_count;
      Floats nearest = all(NEVER);
      for (int s = 0; s < spheres_count; ++s) {
        const float* ball = balls.data() + 3 * s;
        Floats along = ray[0] * ball[0] + ray[1] * ball[1] + ray[2] * ball[2];
        Floats inside = limit[s] - (square[s] - along * along);
        Floats met = along - root(larger(inside, Floats{}));
        nearest = smaller(nearest, inside > 0.0f ? met : all(NEVER));
      }
      for (int l = 0; l < LANES && from + l < count; ++l) out[k * count + from + l] = nearest[l] / length[l];
    }
  }
}

}  // namespace im2hands
