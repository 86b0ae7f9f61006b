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

// How many parts of at most `most` points: of few points every thread gets some, `share` parts each and none below
// `least`. One thread alone is fastest with few parts, because a bone's last tile is rarely full.
int64_t parts_of(int64_t count, int64_t most, int64_t least, int64_t share) {
  int64_t whole = (count + most - 1) / most, wanted = threads() == 1 ? 1 : threads() * share;
  return std::max(whole, std::min(wanted, (count + least - 1) / least));
}

}  // namespace

void logits(const Frame& frame, int hand, bool refined, const float* points, int64_t count, float* out, Detail detail) {
  int64_t parts = parts_of(count, CHUNK, 128, 2);
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
  int64_t parts = parts_of(count, CHUNK / 4, 64, 1);
  if (!parts) return;
  int64_t size = (count + parts - 1) / parts;
  in_parallel(static_cast<int>(parts), [&](int part) {
    int64_t from = part * size;
    int number = static_cast<int>(std::min<int64_t>(size, count - from));
    logits_around(*frame.network, frame.hands[hand], points + 3 * from, number, step, out + 4 * from, scratch());
  });
}

}  // namespace im2hands
