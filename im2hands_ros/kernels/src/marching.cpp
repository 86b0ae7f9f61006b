#include "marching.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "mesh.h"

namespace im2hands {
namespace {

constexpr double TINY = 1e-7;
constexpr int KINDS = 4;  // of vertices of a lattice point: along z, along y, along x, in the cell

// Corners of the cell as steps (x, y, z); the tables' first axis is the lattice's last one.
constexpr int CORNERS[8][3] = {{0, 0, 0}, {0, 0, 1}, {0, 1, 1}, {0, 1, 0}, {1, 0, 0}, {1, 0, 1}, {1, 1, 1}, {1, 1, 0}};
constexpr int EDGES[12][2] = {{0, 1}, {1, 2}, {2, 3}, {3, 0}, {4, 5}, {5, 6}, {6, 7}, {7, 4}, {0, 4}, {1, 5}, {2, 6}, {3, 7}};

}  // namespace

void Marching::run(const float* values, int resolution, const int64_t* cells, int64_t count, float threshold,
                   double clearance) {
  side_ = resolution + 1, layer_ = -2;
  vertices.clear();
  triangles.clear();
  left_out.clear();
  for (auto& known : known_) known.assign(static_cast<size_t>(side_) * side_ * KINDS, -1);
  double mean = 0;
  for (int64_t i = 0; i < count; ++i) mean += std::fabs(values[cells[i]] - threshold) / count;
  float least = static_cast<float>(std::max<double>(clearance * mean, std::numeric_limits<float>::min()));
  for (int64_t i = 0; i < count; ++i) {
    int cell = static_cast<int>(cells[i]), at[3] = {cell / (side_ * side_), cell / side_ % side_, cell % side_};
    double v[8];
    for (int k = 0; k < 8; ++k) {
      float value = values[cell + (CORNERS[k][0] * side_ + CORNERS[k][1]) * side_ + CORNERS[k][2]] - threshold;
      v[k] = std::fabs(value) < least ? (value >= 0 ? least : -least) : value;
    }
    if (at[0] != layer_) enter_layer(at[0]);
    add_cell(v, at);
  }
}

void Marching::enter_layer(int x) {
  auto clear = [&](int which) {
    for (int place : touched_[which]) known_[which][place] = -1;
    touched_[which].clear();
  };
  clear(0);
  if (x == layer_ + 1) {
    known_[0].swap(known_[1]);
    touched_[0].swap(touched_[1]);
  }
  clear(1);
  layer_ = x;
}

void Marching::add_cell(const double* v, const int* at) {
  CubeTables::Row row = triangles_of(tables_, v);
  for (int i = 0; i < row.length; ++i) triangles.push_back(vertex_on(row.at[i], v, at));
}

void Marching::keep_large(double share) {
  size_t count = vertices.size() / 3;
  if (triangles.empty()) return vertices.clear();
  std::vector<uint8_t> keep(count);
  int found;
  large_components(vertices.data(), count, triangles.data(), triangles.size() / 3, share, keep.data(), &found);
  for (size_t t = 0; t < triangles.size(); t += 3)
    for (int k = 0; k < 3 && !keep[triangles[t]]; ++k)
      left_out.insert(left_out.end(), &vertices[3 * triangles[t + k]], &vertices[3 * triangles[t + k]] + 3);
  std::vector<int> number(count);
  int kept = 0;
  for (size_t v = 0; v < count; ++v) {
    number[v] = kept;
    if (!keep[v]) continue;
    std::copy_n(&vertices[3 * v], 3, &vertices[3 * kept]);
    ++kept;
  }
  size_t left = 0;
  for (size_t t = 0; t < triangles.size(); t += 3) {
    if (!keep[triangles[t]]) continue;
    for (int k = 0; k < 3; ++k) triangles[left++] = number[triangles[t + k]];
  }
  vertices.resize(3 * static_cast<size_t>(kept));
  triangles.resize(left);
}

int Marching::vertex_on(int edge, const double* v, const int* at) {
  bool centre = edge == 12;
  const int *one = CORNERS[centre ? 0 : EDGES[edge][0]], *other = CORNERS[centre ? 0 : EDGES[edge][1]];
  int low[3], kind = 3;
  for (int axis = 0; axis < 3; ++axis) {
    low[axis] = std::min(one[axis], other[axis]);
    if (one[axis] != other[axis]) kind = 2 - axis;
  }
  int place = ((at[1] + low[1]) * side_ + at[2] + low[2]) * KINDS + kind;
  int& number = known_[low[0]][place];
  if (number >= 0) return number;
  number = static_cast<int>(vertices.size() / 3);
  touched_[low[0]].push_back(place);
  double sum[3] = {}, weights = 0;
  for (int k = 0; k < 8; ++k) {
    if (!centre && k != EDGES[edge][0] && k != EDGES[edge][1]) continue;
    double weight = 1 / (TINY + std::fabs(v[k]));
    for (int axis = 0; axis < 3; ++axis) sum[axis] += weight * CORNERS[k][axis];
    weights += weight;
  }
  for (int axis = 0; axis < 3; ++axis) vertices.push_back(static_cast<float>(at[axis] + sum[axis] / weights));
  return number;
}

}  // namespace im2hands
