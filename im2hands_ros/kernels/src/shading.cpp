// Colours of a mesh's vertices by their normals.
#include <algorithm>
#include <cmath>
#include <vector>

#include "mesh.h"

namespace im2hands {

void shade(const float* vertices, int64_t vertex_count, const int32_t* triangles, int64_t triangle_count,
           const float* lamp, const float* colour, float darkest, float* colours) {
  std::vector<float> normals(3 * static_cast<size_t>(vertex_count), 0.0f);
  for (int64_t t = 0; t < triangle_count; ++t) {
    const int32_t* corner = triangles + 3 * t;
    const float* a = vertices + 3 * static_cast<int64_t>(corner[0]);
    float one[3], other[3];
    for (int axis = 0; axis < 3; ++axis) {
      one[axis] = vertices[3 * static_cast<int64_t>(corner[1]) + axis] - a[axis];
      other[axis] = vertices[3 * static_cast<int64_t>(corner[2]) + axis] - a[axis];
    }
    const float facet[3] = {one[1] * other[2] - one[2] * other[1], one[2] * other[0] - one[0] * other[2],
                            one[0] * other[1] - one[1] * other[0]};
    for (int k = 0; k < 3; ++k)
      for (int axis = 0; axis < 3; ++axis) normals[3 * static_cast<size_t>(corner[k]) + axis] += facet[axis];
  }
  for (int64_t v = 0; v < vertex_count; ++v) {
    // Facets are squares of millimetres: their squares would be too small for float.
    double n[3] = {normals[3 * v], normals[3 * v + 1], normals[3 * v + 2]};
    double length = std::max(std::sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]), 1e-30);
    double half = 0.5 + 0.5 * (n[0] * lamp[0] + n[1] * lamp[1] + n[2] * lamp[2]) / length;
    float light = static_cast<float>(darkest + (1 - darkest) * half * half);
    for (int channel = 0; channel < 3; ++channel) colours[4 * v + channel] = light * colour[channel];
    colours[4 * v + 3] = 1;
  }
}

}  // namespace im2hands
