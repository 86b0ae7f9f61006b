// The surface search of one hand: surface/search.py with surface/pruned_search.py, but that its rounds before the
// first pruned one evaluate the rough field (field.h). What the surface reads is the field itself.
#pragma once

#include <cstdint>
#include <vector>

#include "field.h"

namespace im2hands {

// Where a hand is searched: box and bones in the box's coordinates.
struct Place {
  const float* box;       // [4] origin (3) in the palm frame and side, metres
  const float* segments;  // [segments][2][3]
  int segments_count;
  float reach;  // box units
};

class Search {
 public:
  // values: (resolution + 1)^3 floats that outlive this.
  Search(int resolution, float* values);

  void run(const Frame& frame, int hand, bool refined, float threshold, const Place& place);

  std::vector<int> cells;   // sorted low corners of the fine cells that straddle
  std::vector<int> rounds;  // points evaluated, call by call

 private:
  // GUESSED: interpolated, or evaluated in the rough field; what the surface reads is evaluated again.
  enum State : uint8_t { UNKNOWN, GUESSED, EVALUATED, BORDER };
  struct Parents {
    std::vector<int> cells;
    std::vector<float> guesses;  // 27 each
    std::vector<float> margins;
  };

  void begin(float threshold);
  void first_round(int step);
  void look_at_all(int step);
  void next_round(int step, Parents& parents);
  void list_children(int step);
  void list_on_bones(int step);
  void guess(int step, Parents& parents);
  bool is_read(const float* values, int point) const;
  void doubt_wrong(int step, const Parents& parents);
  void look(int cell, int step, bool pruned);
  void beyond_faces(int cell, int mask, int step);
  void around_changed(int step, const std::vector<int>& asked, const std::vector<uint8_t>& before, bool pruned);
  void ask_corners(int cell, int step);
  void evaluate();
  bool list(int cell, int step);
  bool near_a_bone(const float* point) const;

  bool inside(int point) const { return values_[point] >= threshold_; }
  int offset(int x, int y, int z) const { return (x * side_ + y) * side_ + z; }
  int corner(int cell, int number, int step) const {
    return cell + step * offset(number >> 2, number >> 1 & 1, number & 1);
  }
  int mask(int cell, int step) const {
    int found = 0;
    for (int k = 0; k < 8; ++k) found |= inside(corner(cell, k, step)) << k;
    return found;
  }
  static bool straddles(int mask) { return mask != 0 && mask != 255; }
  unsigned children_near(int cell, int step) const;
  void interpolate(int cell, int step, float* values, float& low, float& high) const;

  int resolution_, side_;
  float* values_;
  std::vector<uint8_t> state_, listed_;
  std::vector<int> touched_, marked_, batch_, fresh_, next_, doubted_;
  std::vector<float> points_, logits_;
  float threshold_ = 0, outside_ = 0;
  bool any_outside_ = false, rough_ = false;
  const Frame* frame_ = nullptr;
  int hand_ = 0;
  bool refined_ = false;
  Place place_{};
};

}  // namespace im2hands
