#include "search.h"

#include <algorithm>
#include <cmath>

#include "lattice.h"

namespace im2hands {

Search::Search(int resolution, float* values)
    : resolution_(resolution), side_(resolution + 1), values_(values) {
  size_t size = static_cast<size_t>(side_) * side_ * side_;
  state_.assign(size, UNKNOWN);
  listed_.assign(size, 0);
  for (int a = 0; a < side_; ++a)
    for (int b = 0; b < side_; ++b)
      for (int end : {0, resolution_})
        state_[offset(end, a, b)] = state_[offset(a, end, b)] = state_[offset(a, b, end)] = BORDER;
}

void Search::run(const Frame& frame, int hand, bool refined, float threshold, const Place& place) {
  frame_ = &frame;
  hand_ = hand;
  refined_ = refined;
  place_ = place;
  begin(threshold);
  int step = coarsest_step(resolution_);
  // A later, pruned round evaluates again what the surface reads.
  rough_ = step > 1 && resolution_ >= FEWEST_CELLS;
  if (step == 1 || !place.segments_count)
    look_at_all(step);
  else
    first_round(step);
  Parents parents;
  for (; step > 1; step /= 2) {
    rough_ = rough_ && resolution_ < FEWEST_CELLS * (step / 2);
    next_round(step / 2, parents);
  }
  std::sort(cells.begin(), cells.end());
}

// Forget the last search.
void Search::begin(float threshold) {
  threshold_ = threshold;
  if (!any_outside_ || threshold - 1 != outside_) {
    outside_ = threshold - 1;
    any_outside_ = true;
    std::fill_n(values_, state_.size(), outside_);
  }
  for (int point : touched_) {
    values_[point] = outside_;
    state_[point] = UNKNOWN;
  }
  for (int cell : marked_) listed_[cell] = 0;
  for (auto* kept : {&touched_, &marked_, &batch_, &fresh_, &next_, &doubted_, &cells, &rounds}) kept->clear();
}

// Lattice points within reach of bones; those beyond count as outside until a later round needs them.
void Search::first_round(int step) {
  for (int x = step; x < resolution_; x += step)
    for (int y = step; y < resolution_; y += step)
      for (int z = step; z < resolution_; z += step) {
        float point[3] = {float(x) / resolution_, float(y) / resolution_, float(z) / resolution_};
        if (!near_a_bone(point)) continue;
        int number = offset(x, y, z);
        state_[number] = rough_ ? GUESSED : EVALUATED;
        touched_.push_back(number);
        batch_.push_back(number);
      }
  evaluate();
  for (int x = 0; x < resolution_; x += step)
    for (int y = 0; y < resolution_; y += step)
      for (int z = 0; z < resolution_; z += step)
        if (straddles(mask(offset(x, y, z), step))) cells.push_back(offset(x, y, z));
}

bool Search::near_a_bone(const float* point) const {
  for (int s = 0; s < place_.segments_count; ++s)
    if (square_to_segment(point, place_.segments + 6 * s) <= place_.reach * place_.reach) return true;
  return false;
}

// A first round without bones: every cell.
void Search::look_at_all(int step) {
  for (int x = 0; x < resolution_; x += step)
    for (int y = 0; y < resolution_; y += step)
      for (int z = 0; z < resolution_; z += step) {
        list(offset(x, y, z), step);
        ask_corners(offset(x, y, z), step);
      }
  evaluate();
  for (int x = 0; x < resolution_; x += step)
    for (int y = 0; y < resolution_; y += step)
      for (int z = 0; z < resolution_; z += step)
        if (straddles(mask(offset(x, y, z), step))) cells.push_back(offset(x, y, z));
}

// From cells of twice the side to those of side `step`.
void Search::next_round(int step, Parents& parents) {
  bool pruned = resolution_ >= FEWEST_CELLS * step;
  fresh_.clear();
  doubted_.clear();
  list_children(step);
  list_on_bones(step);
  if (pruned) guess(step, parents);
  std::vector<int> listed, asked;
  std::vector<uint8_t> before;
  for (int checks = CHECKS; !fresh_.empty() || !doubted_.empty(); --checks) {
    for (int cell : fresh_) ask_corners(cell, step);
    asked.clear();
    before.clear();
    for (int point : doubted_)
      if (state_[point] == GUESSED && !rough_) {
        state_[point] = EVALUATED;
        batch_.push_back(point);
        asked.push_back(point);
        before.push_back(inside(point));
      }
    evaluate();
    next_.clear();
    doubted_.clear();
    listed.insert(listed.end(), fresh_.begin(), fresh_.end());
    for (int cell : fresh_) look(cell, step, pruned);
    around_changed(step, asked, before, pruned);
    if (pruned && checks > 0) doubt_wrong(step, parents);
    fresh_.swap(next_);
  }
  cells.clear();
  for (int cell : listed)
    if (straddles(mask(cell, step))) cells.push_back(cell);
}

// A cell whose corners are known: what lies beyond its crossed faces, and the guesses that its surface reads.
void Search::look(int cell, int step, bool pruned) {
  int found = mask(cell, step);
  if (!straddles(found)) return;
  beyond_faces(cell, found, step);
  if (!pruned) return;
  for (int k = 0; k < 8; ++k)
    for (int along = 1; along < 8; along *= 2)
      if ((found >> k & 1) != (found >> (k ^ along) & 1)) {
        int point = corner(cell, k, step);
        if (state_[point] == GUESSED) doubted_.push_back(point);
        break;
      }
}

// A face with a sign change never lies on the box's border, where all is outside.
void Search::beyond_faces(int cell, int found, int step) {
  static const int LOW[3] = {0x0f, 0x33, 0x55};
  const int stride[3] = {side_ * side_, side_, 1};
  for (int axis = 0; axis < 3; ++axis)
    for (int direction : {-1, 1}) {
      int face = direction < 0 ? LOW[axis] : 0xff ^ LOW[axis];
      int beyond = cell + direction * step * stride[axis];
      if ((found & face) && (found & face) != face && list(beyond, step)) next_.push_back(beyond);
    }
}

// Cells around points that turned out to be on the other side are looked at anew.
void Search::around_changed(int step, const std::vector<int>& asked, const std::vector<uint8_t>& before, bool pruned) {
  for (size_t j = 0; j < asked.size(); ++j) {
    if (before[j] == inside(asked[j])) continue;
    for (int k = 0; k < 8; ++k) {
      int cell = asked[j] - step * offset(k >> 2, k >> 1 & 1, k & 1);
      if (list(cell, step))
        next_.push_back(cell);
      else
        look(cell, step, pruned);
    }
  }
}

void Search::ask_corners(int cell, int step) {
  for (int k = 0; k < 8; ++k) {
    int point = corner(cell, k, step);
    if (state_[point] != UNKNOWN) continue;
    state_[point] = rough_ ? GUESSED : EVALUATED;
    touched_.push_back(point);
    batch_.push_back(point);
  }
}

bool Search::list(int cell, int step) {
  if (listed_[cell] == step) return false;
  listed_[cell] = static_cast<uint8_t>(step);
  marked_.push_back(cell);
  return true;
}

void Search::evaluate() {
  size_t count = batch_.size();
  if (!count) return;
  rounds.push_back(static_cast<int>(count));
  points_.resize(3 * count);
  logits_.resize(count);
  const float side = place_.box[3];
  for (size_t j = 0; j < count; ++j) {
    int point = batch_[j];
    int at[3] = {point / (side_ * side_), point / side_ % side_, point % side_};
    for (int axis = 0; axis < 3; ++axis)
      points_[3 * j + axis] = static_cast<float>(at[axis]) / resolution_ * side + place_.box[axis];
  }
  Detail detail = rough_ ? Detail::ROUGH : Detail::FULL;
  logits(*frame_, hand_, refined_, points_.data(), count, logits_.data(), detail);
  for (size_t j = 0; j < count; ++j) {
    float value = logits_[j];
    // What is no number is not occupied, and what is infinite could not be interpolated.
    values_[batch_[j]] = value == value ? std::min(std::max(value, -LARGEST), LARGEST) : outside_;
  }
  batch_.clear();
}

}  // namespace im2hands
