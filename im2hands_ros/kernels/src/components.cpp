// Connected components of a mesh by union of its triangles' vertices.
#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "mesh.h"

namespace im2hands {
namespace {

int root_of(std::vector<int>& parent, int vertex) {
  while (parent[vertex] != vertex) vertex = parent[vertex] = parent[parent[vertex]];
  return vertex;
}

// Six times the signed volume between a triangle and the origin.
double volume(const float* a, const float* b, const float* c) {
  double x = static_cast<double>(a[1]) * b[2] - static_cast<double>(a[2]) * b[1];
  double y = static_cast<double>(a[2]) * b[0] - static_cast<double>(a[0]) * b[2];
  double z = static_cast<double>(a[0]) * b[1] - static_cast<double>(a[1]) * b[0];
  return x * c[0] + y * c[1] + z * c[2];
}

}  // namespace

int large_components(const float* vertices, int64_t vertex_count, const int32_t* triangles, int64_t triangle_count,
                     double share, uint8_t* keep, int* found) {
  std::vector<int> parent(vertex_count);
  std::iota(parent.begin(), parent.end(), 0);
  for (int64_t t = 0; t < triangle_count; ++t) {
    const int32_t* corner = triangles + 3 * t;
    int a = root_of(parent, corner[0]), b = root_of(parent, corner[1]), c = root_of(parent, corner[2]);
    parent[a] = parent[b] = parent[c] = std::min(a, std::min(b, c));
  }
  std::vector<double> volumes(vertex_count, 0.0);
  for (int64_t t = 0; t < triangle_count; ++t) {
    const int32_t* corner = triangles + 3 * t;
    volumes[root_of(parent, corner[0])] +=
        volume(vertices + 3 * static_cast<int64_t>(corner[0]), vertices + 3 * static_cast<int64_t>(corner[1]),
               vertices + 3 * static_cast<int64_t>(corner[2])) /
        6;
  }
  double most = *std::max_element(volumes.begin(), volumes.end());
  double least = std::max(share * most, std::numeric_limits<double>::min());
  int kept = *found = 0;
  for (int64_t v = 0; v < vertex_count; ++v) {
    int root = root_of(parent, static_cast<int>(v));
    keep[v] = volumes[root] >= least;
    if (root == v) {
      ++*found;
      kept += keep[v];
    }
  }
  return kept;
}

}  // namespace im2hands
