#include "paper_decoder.h"

#include <algorithm>
#include <cmath>

#include "dense.h"
#include "pool.h"
#include "reader.h"

namespace im2hands {

namespace {

constexpr int TILES_AT_ONCE = 8;  // that a bone's weights are used for while they are in the cache

struct Tiles {
  int count;
  std::vector<float> points, joined, x, most;  // joined: hidden channels, then image features

  Tiles(int tiles, int width, int image)
      : count(tiles), points(tiles * 4 * TILE), joined(size_t(tiles) * (width + image) * TILE), x(width * TILE),
        most(tiles * TILE, -INFINITY) {}
};

// Points and image features of a few tiles; the last point again where there are too few.
void load_tiles(const float* points, const float* image, int64_t count, int width, int channels, Tiles& tiles) {
  const float* rows[TILE];
  for (int t = 0; t < tiles.count; ++t) {
    float* at = tiles.points.data() + t * 4 * TILE;
    for (int l = 0; l < TILE; ++l) {
      int64_t i = std::min<int64_t>(t * TILE + l, count - 1);
      for (int axis = 0; axis < 3; ++axis) at[axis * TILE + l] = points[3 * i + axis];
      at[3 * TILE + l] = 1;
      rows[l] = image + channels * i;
    }
    to_tile(rows, channels, tiles.joined.data() + (size_t(t) * (width + channels) + width) * TILE);
  }
}

}  // namespace

bool PaperDecoder::read() {
  Reader reader(block);
  size_t square = size_t(width) * width;
  reader.take(second, bones * square);
  reader.take(second_bias, size_t(bones) * width);
  reader.take(third, bones * (square + size_t(image) * width));
  reader.take(fourth, bones * square);
  reader.take(fourth_bias, size_t(bones) * width);
  reader.take(last, size_t(bones) * width);
  reader.take(last_bias, bones);
  return reader.exact();
}

void PaperDecoder::run(const float* first, const float* points, const float* image_features, int64_t count,
                       float* out) const {
  constexpr int EACH = TILES_AT_ONCE * TILE;
  size_t square = size_t(width) * width;
  in_parallel(static_cast<int>((count + EACH - 1) / EACH), [&](int number) {
    int64_t start = int64_t(number) * EACH, left = std::min<int64_t>(EACH, count - start);
    Tiles tiles(static_cast<int>((left + TILE - 1) / TILE), width, image);
    load_tiles(points + 3 * start, image_features + image * start, left, width, image, tiles);
    for (int bone = 0; bone < bones; ++bone)
      for (int t = 0; t < tiles.count; ++t) {
        float *x = tiles.x.data(), *joined = tiles.joined.data() + size_t(t) * (width + image) * TILE;
        layer<After::LEAKY>(first + size_t(bone) * 4 * width, nullptr, tiles.points.data() + t * 4 * TILE, 4, width, x);
        layer<After::LEAKY>(second + bone * square, second_bias + bone * width, x, width, width, joined);
        layer<After::LEAKY>(third + bone * (square + size_t(image) * width), nullptr, joined, width + image, width, x);
        layer<After::LEAKY>(fourth + bone * square, fourth_bias + bone * width, x, width, width, joined);
        float logit[TILE];
        layer<After::NOTHING>(last + bone * width, last_bias + bone, joined, width, 1, logit);
        float* most = tiles.most.data() + t * TILE;
        for (int l = 0; l < TILE; ++l) most[l] = std::max(most[l], logit[l]);
      }
    std::copy_n(tiles.most.data(), left, out + start);
  });
}

}  // namespace im2hands
