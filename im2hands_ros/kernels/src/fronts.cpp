// Where rays meet spheres.
#include <cmath>
#include <limits>
#include <vector>

#include "skin.h"
#include "vector.h"

namespace im2hands {
namespace {

constexpr float NEVER = std::numeric_limits<float>::infinity();

// Spheres in float32: centres (count, 3), the squares of their distances, and of each row of radii the squares, negative
// where a sphere is not there.
struct Balls {
  int count;
  std::vector<float> centres, square, limits;

  Balls(const double* given, int count, const double* radii, int rows) : count(count), centres(given, given + 3 * count) {
    for (const double* ball = given; ball < given + 3 * count; ball += 3)
      square.push_back(float(ball[0] * ball[0] + ball[1] * ball[1] + ball[2] * ball[2]));
    for (int i = 0; i < rows * count; ++i) limits.push_back(radii[i] > 0 ? float(radii[i] * radii[i]) : -1.0f);
  }
};

// The first of the spheres of ROWS rows of radii, from one on, along unit rays.
template <int ROWS>
INLINE void first_met(const Balls& balls, int row, const Floats* ray, Floats* nearest) {
  for (int r = 0; r < ROWS; ++r) nearest[r] = all(NEVER);
  const float *ball = balls.centres.data(), *limit = balls.limits.data() + row * balls.count;
  for (int s = 0; s < balls.count; ++s, ball += 3) {
    Floats along = ray[0] * ball[0] + ray[1] * ball[1] + ray[2] * ball[2];
    Floats aside = balls.square[s] - along * along;
    for (int r = 0; r < ROWS; ++r) {
      Floats inside = limit[r * balls.count + s] - aside;
      Floats met = along - root(larger(inside, Floats{}));
      nearest[r] = smaller(nearest[r], inside > 0.0f ? met : all(NEVER));
    }
  }
}

}  // namespace

void fronts(const double* rays, int64_t count, const double* centres, int spheres, const double* radii, int rows,
            double* out) {
  const Balls balls(centres, spheres, radii, rows);
  for (int64_t from = 0; from < count; from += LANES) {
    Floats ray[3] = {}, nearest[2];
    double length[LANES];
    for (int l = 0; l < LANES; ++l) {
      const double* given = rays + 3 * (from + l < count ? from + l : count - 1);
      length[l] = std::sqrt(given[0] * given[0] + given[1] * given[1] + given[2] * given[2]);
      for (int axis = 0; axis < 3; ++axis) ray[axis][l] = float(given[axis] / length[l]);
    }
    for (int row = 0; row < rows; row += 2) {
      const int done = rows - row > 1 ? 2 : 1;
      if (done == 2)
        first_met<2>(balls, row, ray, nearest);
      else
        first_met<1>(balls, row, ray, nearest);
      for (int r = 0; r < done; ++r)
        for (int l = 0; l < LANES && from + l < count; ++l)
          out[(row + r) * count + from + l] = nearest[r][l] / length[l];
    }
  }
}

}  // namespace im2hands
