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

// Solves a symmetric positive definite system (n, n), of which the lower triangle is read and replaced, in place.
void solve(double* system, int n, double* right) {
  for (int i = 0; i < n; ++i) {
    double* row = system + i * n;
    for (int j = 0; j <= i; ++j) {
      const double* other = system + j * n;
      double sum = row[j];
      for (int k = 0; k < j; ++k) sum -= row[k] * other[k];
      if (j < i)
        row[j] = sum / other[j];
      else if (sum > 0)
        row[i] = std::sqrt(sum);
      else
        throw std::runtime_error("the normal equations have no solution");
    }
  }
  for (int i = 0; i < n; ++i) {
    for (int k = 0; k < i; ++k) right[i] -= system[i * n + k] * right[k];
    right[i] /= system[i * n + i];
  }
  for (int i = n - 1; i >= 0; --i) {
    for (int k = i + 1; k < n; ++k) right[i] -= system[k * n + i] * right[k];
    right[i] /= system[i * n + i];
  }
}

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
  std::vector<double> system(size_t(n) * n, 0.0), right(n, 0.0), slope(n);
  for (int i = 0; i < n; ++i) system[i * n + i] = 1;
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
    for (int i = 0; i < n; ++i) {
      const double scaled = weight * slope[i];
      right[i] += scaled * target;
      double* row = system.data() + size_t(i) * n;
      for (int j = 0; j <= i; ++j) row[j] += scaled * slope[j];
    }
  }
  solve(system.data(), n, right.data());
  std::copy(right.begin(), right.end(), amounts);
}

}  // namespace im2hands
