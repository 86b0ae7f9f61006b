// Compares the kernels with what test/support/kernel_vectors.py wrote; exit status 1 where they differ.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "kernels.h"

namespace {

constexpr float CLOSE = 1e-3f, CLOSE_FRAME = 1e-5f;  // millimetres of depth; of frames, as they are

std::ifstream file;
int failures = 0;

template <class Number>
std::vector<Number> next() {
  int64_t count = 0;
  file.read(reinterpret_cast<char*>(&count), sizeof count);
  std::vector<Number> values(count);
  file.read(reinterpret_cast<char*>(values.data()), count * sizeof(Number));
  if (!file) std::printf("the file of vectors ends too early\n"), std::exit(2);
  return values;
}

void check(bool holds, const char* what, double value) {
  std::printf("%s: %s (%g)\n", holds ? "same" : "DIFFERENT", what, value);
  failures += !holds;
}

float furthest(const std::vector<float>& a, const std::vector<float>& b) {
  float most = a.size() == b.size() && !a.empty() ? 0 : INFINITY;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    float off = std::fabs(a[i] - b[i]);
    most = off <= most ? most : off;  // what is no number counts as far
  }
  return most;
}

std::vector<const float*> rows(const std::vector<float>& block, int hands) {
  std::vector<const float*> each;
  for (int hand = 0; hand < hands; ++hand) each.push_back(block.data() + block.size() / hands * hand);
  return each;
}

template <class Handle>
Handle made(Handle handle) {
  if (!handle) std::printf("refused: %s\n", im2hands_error()), std::exit(2);
  return handle;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return std::printf("usage: equality VECTORS\n"), 2;
  file.open(arguments[1], std::ios::binary);
  auto sizes = next<int64_t>();
  int hands = sizes[0], resolution = sizes[5], bones = sizes[6];
  auto weights = next<float>(), of_hands = next<float>(), anchors = next<float>(), points = next<float>();
  auto initial = next<float>(), refined = next<float>();
  im2hands_threads(2);
  auto* network = made(im2hands_network_new(weights.data(), weights.size()));
  auto* frame = made(im2hands_frame_new(network, rows(of_hands, hands).data(), hands, of_hands.size() / hands, sizes[1],
                                        sizes[2], sizes[3]));
  if (im2hands_frame_refine(frame, rows(anchors, hands).data(), anchors.size() / hands, sizes[4]))
    return std::printf("refused: %s\n", im2hands_error()), 2;
  int64_t each = initial.size() / hands;
  std::vector<float> first(initial.size()), second(initial.size());
  for (int hand = 0; hand < hands; ++hand) {
    im2hands_logits(frame, hand, 0, points.data() + 3 * each * hand, each, first.data() + each * hand);
    im2hands_logits(frame, hand, 1, points.data() + 3 * each * hand, each, second.data() + each * hand);
  }
  std::printf("%s, level %d\n", im2hands_instructions(), im2hands_level());
  check(furthest(first, initial) < CLOSE, "initial logits", furthest(first, initial));
  check(furthest(second, refined) < CLOSE, "refined logits", furthest(second, refined));
  check(furthest(initial, refined) > 100 * CLOSE, "corrections are made", furthest(initial, refined));

  auto boxes = next<float>(), segments = next<float>(), reach = next<float>();
  size_t n = resolution + 1;
  std::vector<float> values(hands * n * n * n);
  auto* search = made(im2hands_search_new(resolution, hands, values.data()));
  if (im2hands_search_run(search, frame, 1, 0, boxes.data(), segments.data(), bones, reach[0]))
    return std::printf("refused: %s\n", im2hands_error()), 2;
  for (int hand = 0; hand < hands; ++hand) {
    auto expected = next<int64_t>();
    std::vector<int64_t> cells(im2hands_search_cells(search, hand, nullptr, 0));
    im2hands_search_cells(search, hand, cells.data(), cells.size());
    check(cells == expected && !cells.empty(), "cells of the surface", cells.size());
  }

  auto joints = next<float>();
  auto sides = next<int64_t>();
  auto frames = next<float>();
  std::vector<uint8_t> mirrored(sides.begin(), sides.end());
  std::vector<float> found(frames.size());
  im2hands_canonicalise(joints.data(), mirrored.data(), hands, found.data());
  check(furthest(found, frames) < CLOSE_FRAME, "canonical frames", furthest(found, frames));
  return failures ? 1 : 0;
}
