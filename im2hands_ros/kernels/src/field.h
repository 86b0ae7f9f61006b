// Occupancy logits (millimetres of depth) of one hand's points; a thread works on CHUNK points at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "dense.h"
#include "network.h"

namespace im2hands {

constexpr int CHUNK = 1024;
constexpr int NEAREST = 4;        // bones that a point is shown to
constexpr int NEAREST_ROUGH = 3;  // in the rough field

// ROUGH: without the image and the corrections, for deciding where to look at all; right to some tenths of millimetres,
// but for the corrections' one or two.
enum class Detail { FULL, ROUGH };

// Memory that a thread keeps between chunks.
struct Scratch {
  std::vector<float> codes = std::vector<float>((CHUNK + TILE) * WIDTH);
  std::vector<float> depths = std::vector<float>(NEAREST * (CHUNK + TILE));
  std::vector<int> pairs = std::vector<int>(NEAREST * CHUNK);
  std::vector<uint8_t> bones = std::vector<uint8_t>(NEAREST * (CHUNK + TILE));
  std::vector<int> chosen = std::vector<int>(CHUNK), again = std::vector<int>(CHUNK);
  std::vector<float> other_points = std::vector<float>(3 * CHUNK), other = std::vector<float>(CHUNK + TILE);
};

// out (count) of points (count, 3) in the hand's palm frame, metres; count <= CHUNK.
void initial_logits(const Network& network, const Hand& hand, const float* points, int count, float* out,
                    Scratch& scratch, Detail detail = Detail::FULL);

// The same with corrections, and with what the other hand claims taken away.
void refined_logits(const Frame& frame, int hand, const float* points, int count, float* out, Scratch& scratch,
                    Detail detail = Detail::FULL);

// Initial logits (count, 4) of points and of those moved by `step` metres along each axis, count <= CHUNK / 4. All four are
// shown the image of the point.
void logits_around(const Network& network, const Hand& hand, const float* points, int count, float step, float* out,
                   Scratch& scratch);

// Any number of points, refined where the frame is, by this thread and the idle ones of the pool.
void logits(const Frame& frame, int hand, bool refined, const float* points, int64_t count, float* out,
            Detail detail = Detail::FULL);

// Any number of points around which initial logits are wanted.
void logits_around(const Frame& frame, int hand, const float* points, int64_t count, float step, float* out);

// Image codes of a tile: points [3][TILE] to rows [TILE][WIDTH].
void image_codes(const Network& network, const Hand& hand, const float* points, float* rows);

// Corrected depths of a tile, in place: points [3][TILE], depths [TILE].
void correct(const Network& network, const Hand& hand, const float* points, float* depths);

// A tile of (count, 3) points picked by index, the last one repeated: [3][TILE].
INLINE void gather(const float* points, const int* index, int from, int count, float* tile) {
  for (int l = 0; l < TILE; ++l) {
    int place = from + l < count ? from + l : count - 1;
    const float* point = points + 3 * static_cast<size_t>(index ? index[place] : place);
    for (int axis = 0; axis < 3; ++axis) tile[axis * TILE + l] = point[axis];
  }
}

}  // namespace im2hands
