// Skin points on bones, and a Gauss-Newton step of what the joints may do.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "skin.h"

namespace im2hands {
namespace {

// skeleton.py: BONES.
int parent_of(int joint) { return joint % 4 == 1 ? 0 : joint - 1; }

// A symmetric positive definite system (n, n), of which the lower triangle counts, and its right side. Rows are padded to
// whole steps, so that loops over them have no rest.
struct System {
  static constexpr int STEP = 8;
  const int n, pitch;
  std::vector<double> rows, right;

  explicit System(int n) : n(n), pitch((n + STEP - 1) / STEP * STEP), rows(size_t(n) * pitch), right(pitch) {
    for (int i = 0; i < n; ++i) row(i)[i] = 1;
  }

  double* row(int i) { return rows.data() + size_t(i) * pitch; }

  // to += factor * from, of the first `count` columns and what fills up the step.
  static void add(double* __restrict to, double factor, const double* __restrict from, int count) {
    for (int j = 0; j < count; j += STEP)
      for (int l = 0; l < STEP; ++l) to[j + l] += factor * from[j + l];
  }

  // Replaces the right side by the solution, and the rows. The last row goes first: there most are of one finger alone,
  // and what is zero between fingers stays so.
  void solve() {
    for (int k = n - 1; k >= 0; --k) {
      double* last = row(k);
      if (!(last[k] > 0)) throw std::runtime_error("the normal equations have no solution");
      const double scale = 1 / std::sqrt(last[k]);
      for (int j = 0; j <= k; ++j) last[j] *= scale;
      right[k] *= scale;
      for (int i = 0; i < k; ++i)
        if (last[i] != 0) add(row(i), -last[i], last, i + 1), right[i] -= last[i] * right[k];
    }
    for (int i = 0; i < n; ++i) {
      for (int k = 0; k < i; ++k) right[i] -= row(i)[k] * right[k];
      right[i] /= row(i)[i];
    }
  }
};

}  // namespace

void attach(const double* points, int64_t count, const double* joints, double* share, int32_t* ends) {
  double bone[JOINTS][3], square[JOINTS];
  for (int j = 1; j < JOINTS; ++j) {
    const double* start = joints + 3 * parent_of(j);
    square[j] = 0;
    for (int axis = 0; axis < 3; ++axis) {
      bone[j][axis] = joints[3 * j + axis] - start[axis];
      square[j] += bone[j][axis] * bone[j][axis];
    }
    square[j] = std::max(square[j], 1e-8);
  }
  for (int64_t p = 0; p < count; ++p) {
    double nearest = 1e300;
    for (int j = 1; j < JOINTS; ++j) {
      const double* start = joints + 3 * parent_of(j);
      double off[3], along = 0, distance = 0;
      for (int axis = 0; axis < 3; ++axis) along += (off[axis] = points[3 * p + axis] - start[axis]) * bone[j][axis];
      along = std::min(std::max(along / square[j], 0.0), 1.0);
      for (int axis = 0; axis < 3; ++axis) {
        double aside = off[axis] - along * bone[j][axis];
        distance += aside * aside;
      }
      if (!(distance < nearest)) continue;
      nearest = distance, share[p] = along, ends[2 * p] = parent_of(j), ends[2 * p + 1] = j;
    }
  }
}

void skin_step(const SkinPoints& skin, double* amounts) {
  const int n = skin.modes_count;
  System system(n);
  std::vector<double> slope(system.pitch);
  for (int64_t p = 0; p < skin.count; ++p) {
    const double weight = skin.weight[p], share = skin.share[p];
    if (!(weight > 0)) continue;
    std::fill(slope.begin(), slope.end(), 0.0);
    for (int end = 0; end < 2; ++end)
      for (int axis = 0; axis < 3; ++axis) {
        const double factor = (end ? share : 1 - share) * skin.normal[3 * p + axis];
        const double* mode = skin.modes + (size_t(3) * skin.ends[2 * p + end] + axis) * n;
        for (int i = 0; i < n; ++i) slope[i] += factor * mode[i];
      }
    double target = skin.distance[p];
    for (int i = 0; i < n; ++i) target += slope[i] * amounts[i];
    for (int i = 0; i < n; ++i)
      if (slope[i] != 0) {  // most modes move other fingers
        System::add(system.row(i), weight * slope[i], slope.data(), i + 1);
        system.right[i] += weight * slope[i] * target;
      }
  }
  system.solve();
  std::copy_n(system.right.begin(), n, amounts);
}

}  // namespace im2hands
