// From one round of the search to the next: children of the cells, and guesses between their corners.
#include <algorithm>
#include <cmath>

#include "lattice.h"
#include "search.h"

namespace im2hands {

// Values at and between a cell's corners, [3][3][3], and their range; `step` is half its side.
void Search::interpolate(int cell, int step, float* v, float& low, float& high) const {
  low = high = values_[cell];
  for (int k = 0; k < 8; ++k) {
    float value = values_[corner(cell, k, 2 * step)];
    v[(k >> 2) * 18 + (k >> 1 & 1) * 6 + (k & 1) * 2] = value;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  for (int y = 0; y < 9; y += 6)
    for (int z = 0; z < 3; z += 2) v[9 + y + z] = (v[y + z] + v[18 + y + z]) / 2;
  for (int x = 0; x < 27; x += 9)
    for (int z = 0; z < 3; z += 2) v[x + 3 + z] = (v[x + z] + v[x + 6 + z]) / 2;
  for (int xy = 0; xy < 27; xy += 3) v[xy + 1] = (v[xy] + v[xy + 2]) / 2;
}

// Which of eight children may straddle, by interpolation; the search's continuation finds what this misses.
unsigned Search::children_near(int cell, int step) const {
  float v[27], low, high;
  interpolate(cell, step, v, low, high);
  float slack = PREDICTION_SLACK * (high - low);
  unsigned near = 0;
  for (int k = 0; k < 8; ++k) {
    const float* first = v + (k >> 2) * 9 + (k >> 1 & 1) * 3 + (k & 1);
    float least = *first, most = *first;
    for (int q = 1; q < 8; ++q) {
      float value = first[(q >> 2) * 9 + (q >> 1 & 1) * 3 + (q & 1)];
      least = std::min(least, value);
      most = std::max(most, value);
    }
    if (least < threshold_ + slack && most >= threshold_ - slack) near |= 1u << k;
  }
  return near;
}

// Children of side `step` of the cells.
void Search::list_children(int step) {
  for (int cell : cells) {
    unsigned wanted = step == 1 ? children_near(cell, step) : 255;
    for (int k = 0; k < 8; ++k) {
      int child = corner(cell, k, step);
      if ((wanted >> k & 1) && list(child, step)) fresh_.push_back(child);
    }
  }
}

// Children of cells on bones with every corner outside: a finger may run between the points.
void Search::list_on_bones(int step) {
  int side = 2 * step, before = -1;
  int count = std::max(2, static_cast<int>(std::ceil(std::sqrt(3.0) * resolution_ / side)) + 1);
  for (int s = 0; s < place_.segments_count; ++s)
    for (int j = 0; j < count; ++j) {
      const float *start = place_.segments + 6 * s, *end = start + 3;
      float share = static_cast<float>(j) / (count - 1);
      int low[3];
      bool in_box = true;
      for (int axis = 0; axis < 3; ++axis) {
        float place = start[axis] + share * (end[axis] - start[axis]);
        in_box &= place >= 0 && place < 1;
        low[axis] = in_box ? static_cast<int>(place * resolution_ / side) * side : 0;
        in_box &= low[axis] < resolution_;
      }
      int cell = offset(low[0], low[1], low[2]);
      if (!in_box || cell == before) continue;
      before = cell;
      if (mask(cell, side)) continue;
      for (int k = 0; k < 8; ++k)
        if (list(corner(cell, k, step), step)) fresh_.push_back(corner(cell, k, step));
    }
}

// Points far from the threshold by interpolation are taken as interpolated, but for ends of crossed edges.
void Search::guess(int step, Parents& parents) {
  parents.cells = cells;
  parents.guesses.resize(27 * cells.size());
  parents.margins.resize(cells.size());
  std::vector<int> near;
  for (size_t j = 0; j < cells.size(); ++j) {
    float *v = &parents.guesses[27 * j], low, high;
    interpolate(cells[j], step, v, low, high);
    float margin = parents.margins[j] = BELIEF * (high - low);
    for (int p = 0; p < 27; ++p) {
      int point = cells[j] + step * offset(p / 9, p / 3 % 3, p % 3);
      bool far = std::fabs(v[p] - threshold_) > margin && !is_read(v, p);
      bool corner = p / 9 != 1 && p / 3 % 3 != 1 && p % 3 != 1;
      if (corner && !far && state_[point] == GUESSED) near.push_back(point);
      if (state_[point] != UNKNOWN || !far) continue;
      values_[point] = v[p];
      state_[point] = GUESSED;
      touched_.push_back(point);
    }
  }
  // Rough values near the surface are evaluated where they are needed.
  if (!rough_)
    for (int point : near) state_[point] = UNKNOWN;
}

// Does a sign change along an axis end at this one of 27 points?
bool Search::is_read(const float* v, int point) const {
  static const int STRIDE[3] = {9, 3, 1};
  const int at[3] = {point / 9, point / 3 % 3, point % 3};
  bool own = v[point] >= threshold_;
  for (int axis = 0; axis < 3; ++axis) {
    if (at[axis] > 0 && (v[point - STRIDE[axis]] >= threshold_) != own) return true;
    if (at[axis] < 2 && (v[point + STRIDE[axis]] >= threshold_) != own) return true;
  }
  return false;
}

// Guesses in parents where another point was evaluated to something else.
void Search::doubt_wrong(int step, const Parents& parents) {
  for (size_t j = 0; j < parents.cells.size(); ++j) {
    const float* v = &parents.guesses[27 * j];
    bool wrong = false;
    int points[27];
    for (int p = 0; p < 27; ++p) {
      points[p] = parents.cells[j] + step * offset(p / 9, p / 3 % 3, p % 3);
      wrong |= state_[points[p]] == EVALUATED && std::fabs(values_[points[p]] - v[p]) > parents.margins[j];
    }
    if (!wrong) continue;
    for (int point : points)
      if (state_[point] == GUESSED) doubted_.push_back(point);
  }
}

}  // namespace im2hands
