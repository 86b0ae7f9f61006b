// What every function of the C interface checks its arguments with: nothing is thrown out of there.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <vector>

namespace im2hands {

constexpr float FURTHEST = 100.0f;         // metres; also where float32 is right to 8 micrometres
constexpr int64_t MOST = int64_t(1) << 28;  // points, vertices or triangles of a call

extern thread_local char reason[256];  // why the last call of this thread refused

template <class... Values>
int refuse(const char* format, Values... values) {
  std::snprintf(reason, sizeof reason, format, values...);
  return -1;
}
inline int refuse(const char* text) { return refuse("%s", text); }

template <class Result, class Work>
Result guarded(Result refused, Work work) {
  try {
    return work();
  } catch (const std::exception& error) {
    refuse("%s", error.what());
    return refused;
  }
}

// Without -ffast-math, so that a comparison with what is no number is false.
inline bool bounded(const float* values, int64_t count, float most) {
  for (int64_t i = 0; i < count; ++i)
    if (!(std::fabs(values[i]) <= most)) return false;
  return true;
}
inline bool finite(const float* values, int64_t count) { return bounded(values, count, 3.4028235e38f); }

inline std::vector<float> copied(const float* block, int64_t count) { return std::vector<float>(block, block + count); }

}  // namespace im2hands
