// Joints moved so that their skin goes through a depth image's: what depth/ computes in NumPy, in the same order.
#pragma once

#include <cstdint>

namespace im2hands {

constexpr int JOINTS = 21, MOST_MODES = 128, MOST_STEPS = 64, MOST_PIXELS = 1 << 16;

// What counts as alike around a pixel: depths that differ by less than step + share of the depth, and how many of nine.
struct Alike {
  double step, share;
  int least;
};

// Known pixels of the grids of boxes (boxes, 5): first and last + 1 column and row (u, v, u, v) and step; none in the box
// before. places (room, 2), mean depth with those alike around (room), that mean's deviation (room). Returns how many.
int64_t known_pixels(const float* depth, int width, const int32_t* boxes, int count, Alike alike, int32_t* places,
                     double* mean, double* deviation, int64_t room);

// Depths along z (rows, count) at which rays (count, 3) meet the first of spheres of radii (rows, spheres) about centres
// (spheres, 3); infinite where they miss all. A radius of 0: no sphere.
void fronts(const double* rays, int64_t count, const double* centres, int spheres, const double* radii, int rows,
            double* out);

// How likely depths are, in the order of depth/shifts.py.
struct Chances {
  double usual, uneven, range, behind, mistakes, weight, count;
};

// The likeliest of the tried steps of each of 1 or 2 hands. depth, shown (count); limb, core (hands, count).
void best_steps(const double* depth, const double* limb, const double* core, int hands, const double* shown,
                int64_t count, const double* tried, int steps, const Chances& chances, int32_t* best);

// Of points (count, 3) the nearest bone of joints (21, 3): how far along it (count), and its joints (count, 2).
void attach(const double* points, int64_t count, const double* joints, double* share, int32_t* ends);

// Points of a hand, and how its joints move: modes (21, 3, modes). distance, weight (count), normal (count, 3).
struct SkinPoints {
  const double *share, *distance, *normal, *weight, *modes;
  const int32_t* ends;
  int64_t count;
  int modes_count;
};

// A Gauss-Newton step: amounts (modes) of the modes, of deviation 1 each, replaced.
void skin_step(const SkinPoints& skin, double* amounts);

}  // namespace im2hands
