// What equality.cpp and depth_equality.cpp share: the file of vectors, and comparisons with it.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "kernels.h"

constexpr float CLOSE = 1e-3f, CLOSE_FRAME = 1e-5f;  // millimetres of depth; of frames, as they are

inline std::ifstream file;
inline int failures = 0;

template <class Number>
std::vector<Number> next() {
  int64_t count = 0;
  file.read(reinterpret_cast<char*>(&count), sizeof count);
  std::vector<Number> values(count);
  file.read(reinterpret_cast<char*>(values.data()), count * sizeof(Number));
  if (!file) std::printf("the file of vectors ends too early\n"), std::exit(2);
  return values;
}

inline void check(bool holds, const char* what, double value) {
  std::printf("%s: %s (%g)\n", holds ? "same" : "DIFFERENT", what, value);
  failures += !holds;
}

template <class Number>
Number furthest(const std::vector<Number>& a, const std::vector<Number>& b) {
  Number most = a.size() == b.size() && !a.empty() ? 0 : INFINITY;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    Number off = std::fabs(a[i] - b[i]);
    most = off <= most ? most : off;  // what is no number counts as far
  }
  return most;
}

template <class Handle>
Handle made(Handle handle) {
  if (!handle) std::printf("refused: %s\n", im2hands_error()), std::exit(2);
  return handle;
}

// As they are, relative to the largest.
inline void check_close(const std::vector<float>& found, const std::vector<float>& expected, float share, const char* what) {
  float most = 0;
  for (float value : expected) most = std::fmax(most, std::fabs(value));
  float off = furthest(found, expected) / most;
  check(most > 0 && off < share, what, off);
}

inline void expect(int result) {
  if (result < 0) std::printf("refused: %s\n", im2hands_error()), std::exit(2);
}

// What is done with depth images, and the JPEG reader.
void depth_images();
void files();
