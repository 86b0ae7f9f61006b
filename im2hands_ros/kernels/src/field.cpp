// Points shared out among the threads.
#include "field.h"

#include <algorithm>

#include "pool.h"

namespace im2hands {

namespace {

Scratch& scratch() {
  static thread_local Scratch own;
  return own;
}

}  // namespace

void logits(const Frame& frame, int hand, bool refined, const float* points, int64_t count, float* out, Detail detail) {
  // Parts of whole chunks where there are many points; of few points every thread gets some.
  constexpr int LEAST = 128;
  int64_t parts = (count + CHUNK - 1) / CHUNK;
  if (parts < 4) parts = std::min<int64_t>(4, (count + LEAST - 1) / LEAST);
  if (!parts) return;
  int64_t size = ((count + parts - 1) / parts + TILE - 1) / TILE * TILE;
  parts = (count + size - 1) / size;
  in_parallel(static_cast<int>(parts), [&](int part) {
    int64_t from = part * size;
    int number = static_cast<int>(std::min<int64_t>(size, count - from));
    if (refined)
      refined_logits(frame, hand, points + 3 * from, number, out + from, scratch(), detail);
    else
      initial_logits(*frame.network, frame.hands[hand], points + 3 * from, number, out + from, scratch(), detail);
  });
}

void logits_around(const Frame& frame, int hand, const float* points, int64_t count, float step, float* out) {
  constexpr int64_t SIZE = 64;
  in_parallel(static_cast<int>((count + SIZE - 1) / SIZE), [&](int part) {
    int64_t from = part * SIZE;
    int number = static_cast<int>(std::min<int64_t>(SIZE, count - from));
    logits_around(*frame.network, frame.hands[hand], points + 3 * from, number, step, out + 4 * from, scratch());
  });
}

}  // namespace im2hands
