// Compares the kernels of depth images with NumPy, and the JPEG reader with what its files are: arrays of
// test/support/depth_vectors.py.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels.h"
#include "vectors.h"

namespace {

std::vector<int32_t> next_numbers() {
  auto numbers = next<int64_t>();
  return {numbers.begin(), numbers.end()};
}

void known_pixels() {
  auto depth = next<float>();
  auto boxes = next_numbers();
  auto limits = next<double>();
  auto places = next_numbers();
  auto mean = next<double>(), deviation = next<double>();
  size_t room = depth.size();
  std::vector<int32_t> found(2 * room);
  std::vector<double> means(room), deviations(room);
  int64_t count = im2hands_known_pixels(depth.data(), limits[0], limits[1], boxes.data(), boxes.size() / 5, limits[2],
                                        limits[3], limits[4], found.data(), means.data(), deviations.data(), room);
  found.resize(2 * count), means.resize(count), deviations.resize(count);
  check(found == places && count > 300, "pixels of known depth", count);
  check(furthest(means, mean) < 1e-6, "their depth, metres", furthest(means, mean));
  check(furthest(deviations, deviation) < 1e-6, "its deviation, metres", furthest(deviations, deviation));
}

void fronts() {
  auto rays = next<double>(), centres = next<double>(), radii = next<double>(), expected = next<double>();
  int spheres = centres.size() / 3;
  std::vector<double> found(expected.size()), off;
  expect(im2hands_fronts(rays.data(), rays.size() / 3, centres.data(), spheres, radii.data(), radii.size() / spheres,
                         found.data()));
  size_t alike = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    alike += std::isfinite(found[i]) == std::isfinite(expected[i]);
    if (std::isfinite(found[i]) && std::isfinite(expected[i])) off.push_back(std::fabs(found[i] - expected[i]));
  }
  std::sort(off.begin(), off.end());
  check(alike > 0.998 * found.size() && off.size() > 0.05 * found.size(), "rays that meet spheres", off.size());
  // Where a ray only grazes a sphere, float32 has a root of nearly nothing.
  check(off.back() < 2e-4 && off[off.size() / 2] < 2e-6, "where they meet, metres", off.back());
}

void best_steps() {
  auto tried = next<double>(), chances = next<double>();
  for (int hands : {2, 1}) {
    auto depth = next<double>(), limbs = next<double>(), cores = next<double>(), shown = next<double>();
    auto expected = next_numbers();
    std::vector<int32_t> best(hands, -1);
    expect(im2hands_best_steps(depth.data(), limbs.data(), cores.data(), hands, shown.data(), depth.size(), tried.data(),
                               tried.size(), chances.data(), best.data()));
    check(best == expected, hands == 2 ? "likeliest steps of two hands" : "likeliest step of a hand", best[0]);
  }
}

void points_on_bones() {
  auto points = next<double>(), joints = next<double>(), moves = next<double>(), expected = next<double>();
  size_t count = points.size() / 3;
  std::vector<double> share(count), carried(3 * count);
  std::vector<int32_t> ends(2 * count);
  expect(im2hands_attach(points.data(), count, joints.data(), share.data(), ends.data()));
  for (size_t i = 0; i < 3 * count; ++i) {
    size_t p = i / 3, axis = i % 3;
    double start = moves[3 * ends[2 * p] + axis], end = moves[3 * ends[2 * p + 1] + axis];
    carried[i] = start + share[p] * (end - start);
  }
  check(furthest(carried, expected) < 1e-9, "points carried by their bones", furthest(carried, expected));
}

void step_of_the_fit() {
  auto share = next<double>();
  auto ends = next_numbers();
  auto distance = next<double>(), normal = next<double>(), weight = next<double>(), modes = next<double>();
  auto amounts = next<double>(), expected = next<double>(), before = amounts;
  expect(im2hands_skin_step(share.data(), ends.data(), distance.data(), normal.data(), weight.data(), share.size(),
                            modes.data(), amounts.size(), amounts.data()));
  check(furthest(amounts, expected) < 1e-9, "a step of the fit", furthest(amounts, expected));
  check(furthest(before, expected) > 0.5, "it moves", furthest(before, expected));
}

}  // namespace

void depth_images() {
  known_pixels();
  fronts();
  best_steps();
  points_on_bones();
  step_of_the_fit();
}

void files() {
  for (int expected : next_numbers()) {
    auto numbers = next<int64_t>();
    std::vector<uint8_t> bytes(numbers.begin(), numbers.end());
    int found = im2hands_jpeg(bytes.data(), bytes.size());
    check(found == expected, "a JPEG file's state", found);
  }
}
