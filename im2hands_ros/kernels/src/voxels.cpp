// Voxels under a surface: samples of every triangle, moved inwards, and the distinct voxels that hold them.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <vector>

#include "mesh.h"

namespace im2hands {
namespace {

constexpr double MOST_SAMPLES = 1 << 27;

struct Corners {
  const float* at[3];

  Corners(const float* vertices, const int32_t* triangle) {
    for (int k = 0; k < 3; ++k) at[k] = vertices + 3 * static_cast<int64_t>(triangle[k]);
  }
  double edge(int k, int axis) const {
    return static_cast<double>(at[k][axis]) - at[(k + 1) % 3][axis];
  }
  double longest_square() const {
    double longest = 0;
    for (int k = 0; k < 3; ++k)
      longest = std::max(longest, edge(k, 0) * edge(k, 0) + edge(k, 1) * edge(k, 1) + edge(k, 2) * edge(k, 2));
    return longest;
  }
  void normal(double* n) const {
    for (int axis = 0; axis < 3; ++axis) {
      int next = (axis + 1) % 3, last = (axis + 2) % 3;
      n[axis] = edge(0, next) * edge(1, last) - edge(0, last) * edge(1, next);
    }
    double length = std::max(std::sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]), 1e-30);
    for (int axis = 0; axis < 3; ++axis) n[axis] /= length;
  }
};

// Numbers (x, y, z) of the voxels, with repetitions, and where they begin and end.
struct Numbers {
  std::vector<int32_t> all;
  int64_t low[3], size[3];

  Numbers(const float* vertices, const int32_t* triangles, int64_t count, double size_of_voxel) {
    double longest = 0;
    for (int64_t t = 0; t < count; ++t)
      longest = std::max(longest, Corners(vertices, triangles + 3 * t).longest_square());
    int parts = std::max(1, static_cast<int>(std::ceil(std::sqrt(longest) / size_of_voxel)));
    double samples = static_cast<double>(count) * parts * (parts + 1) / 2;
    if (samples > MOST_SAMPLES) throw std::length_error("too many voxels: the surface is too large for their size");
    all.reserve(static_cast<size_t>(samples) * 3);
    for (int64_t t = 0; t < count; ++t) sample(Corners(vertices, triangles + 3 * t), parts, size_of_voxel);
    measure();
  }

 private:
  // Centres of the upright ones of the triangles that a triangle is cut into.
  void sample(const Corners& corners, int parts, double size_of_voxel) {
    double normal[3];
    corners.normal(normal);
    for (int i = 0; i < parts; ++i)
      for (int j = 0; i + j < parts; ++j) {
        double weight[3] = {(i + 1 / 3.) / parts, (j + 1 / 3.) / parts, (parts - i - j - 2 / 3.) / parts};
        for (int axis = 0; axis < 3; ++axis) {
          double place = 0;
          for (int k = 0; k < 3; ++k) place += weight[k] * corners.at[k][axis];
          all.push_back(static_cast<int32_t>(std::floor((place - 0.5 * size_of_voxel * normal[axis]) / size_of_voxel)));
        }
      }
  }
  void measure() {
    for (int axis = 0; axis < 3; ++axis) {
      int32_t least = std::numeric_limits<int32_t>::max(), most = std::numeric_limits<int32_t>::min();
      for (size_t i = axis; i < all.size(); i += 3) {
        least = std::min(least, all[i]);
        most = std::max(most, all[i]);
      }
      low[axis] = least;
      size[axis] = static_cast<int64_t>(most) - least + 1;
    }
  }
};

// The distinct voxels, as one number each, in order.
std::vector<int64_t> distinct(const Numbers& numbers) {
  constexpr double MARKED_AT_ONCE = 1 << 24;
  std::vector<int64_t> keys;
  keys.reserve(numbers.all.size() / 3);
  for (size_t i = 0; i < numbers.all.size(); i += 3) {
    int64_t key = 0;
    for (int axis = 0; axis < 3; ++axis)
      key = key * numbers.size[axis] + (numbers.all[i + axis] - numbers.low[axis]);
    keys.push_back(key);
  }
  double volume = static_cast<double>(numbers.size[0]) * numbers.size[1] * numbers.size[2];
  if (volume > MARKED_AT_ONCE) {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    return keys;
  }
  std::vector<uint8_t> marked(static_cast<size_t>(volume), 0);
  for (int64_t key : keys) marked[key] = 1;
  keys.clear();
  for (size_t key = 0; key < marked.size(); ++key)
    if (marked[key]) keys.push_back(key);
  return keys;
}

}  // namespace

int64_t voxels_under(const float* vertices, const int32_t* triangles, int64_t triangle_count, double size,
                     float* centres, int64_t room) {
  Numbers numbers(vertices, triangles, triangle_count, size);
  std::vector<int64_t> keys = distinct(numbers);
  int64_t shown = std::min<int64_t>(room, keys.size());
  for (int64_t i = 0; i < shown; ++i) {
    int64_t left = keys[i];
    for (int axis = 2; axis >= 0; --axis) {
      int64_t number = left % numbers.size[axis] + numbers.low[axis];
      centres[3 * i + axis] = static_cast<float>((number + 0.5) * size);
      left /= numbers.size[axis];
    }
  }
  return keys.size();
}

}  // namespace im2hands
