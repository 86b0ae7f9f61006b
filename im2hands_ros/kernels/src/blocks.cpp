#include "blocks.h"

#include <algorithm>
#include <memory>

#include "dense.h"
#include "pool.h"
#include "reader.h"

namespace im2hands {
namespace {

// One sequence on its way through the blocks; tokens in tiles, the last one filled up with its last token.
class Sequence {
 public:
  Sequence(const Blocks& blocks, int count, const uint8_t* mask)
      : width_(blocks.width), heads_(blocks.heads), count_(count), tiles_((count + TILE - 1) / TILE) {
    for (int t = 0; t < count; ++t)
      if (!mask || mask[t]) attended_.push_back(t);
    size_t size = static_cast<size_t>(tiles_) * TILE * width_;
    for (auto* part : {&x_, &query_, &values_}) part->resize(size);
    keys_.resize(attended_.size() * width_);
  }

  void read(const float* tokens) {
    const float* rows[TILE];
    for (int tile = 0; tile < tiles_; ++tile) {
      for (int l = 0; l < TILE; ++l)
        rows[l] = tokens + static_cast<size_t>(std::min(tile * TILE + l, count_ - 1)) * width_;
      to_tile(rows, width_, tile_of(x_, tile));
    }
  }

  void write(float* tokens) {
    std::vector<float> rows(static_cast<size_t>(TILE) * width_);
    for (int tile = 0; tile < tiles_; ++tile) {
      to_rows(tile_of(x_, tile), width_, rows.data());
      int filled = std::min(TILE, count_ - tile * TILE);
      std::copy_n(rows.data(), static_cast<size_t>(filled) * width_,
                  tokens + static_cast<size_t>(tile) * TILE * width_);
    }
  }

  void apply(const Block& block) {
    in_parallel(tiles_, [&](int tile) { project(block, tile); });
    in_parallel(tiles_, [&](int tile) { attend(block, tile); });
  }

 private:
  float* tile_of(std::vector<float>& of, int tile) {
    return of.data() + static_cast<size_t>(tile) * TILE * width_;
  }

  // Queries of a tile; its keys as columns [width][attended] and values as rows [attended][width].
  void project(const Block& block, int tile) {
    alignas(64) float y[MOST_CHANNELS * TILE], projected[3 * MOST_CHANNELS * TILE], rows[MOST_CHANNELS * TILE];
    normalise(tile_of(x_, tile), width_, y);
    layer<After::NOTHING>(block.attention, block.attention_bias, y, width_, 3 * width_, projected);
    std::copy_n(projected, width_ * TILE, tile_of(query_, tile));
    to_rows(projected + 2 * width_ * TILE, width_, rows);
    int stride = static_cast<int>(attended_.size()), first = tile * TILE;
    auto place = std::lower_bound(attended_.begin(), attended_.end(), first);
    for (; place != attended_.end() && *place < first + TILE; ++place) {
      int lane = *place - first, column = static_cast<int>(place - attended_.begin());
      for (int c = 0; c < width_; ++c) keys_[static_cast<size_t>(c) * stride + column] = projected[(width_ + c) * TILE + lane];
      std::copy_n(rows + lane * width_, width_, values_.data() + static_cast<size_t>(column) * width_);
    }
  }

  // What a tile's tokens attend to, and the layers after it.
  void attend(const Block& block, int tile) {
    alignas(64) float attended[MOST_CHANNELS * TILE], y[MOST_CHANNELS * TILE], scale[TILE];
    static thread_local std::vector<float> scores;
    int keys = static_cast<int>(attended_.size()), head_width = width_ / heads_;
    scores.resize(static_cast<size_t>(keys) * TILE);
    for (int head = 0; head < heads_; ++head) {
      int first = head * head_width;
      float* to = attended + first * TILE;
      layer<After::NOTHING>(keys_.data() + static_cast<size_t>(first) * keys, nullptr,
                            tile_of(query_, tile) + first * TILE, head_width, keys, scores.data());
      weights_of(scores.data(), keys, scale);
      strided_layer<After::NOTHING>(values_.data() + first, width_, nullptr, scores.data(), keys, head_width, to);
      for (int i = 0; i < head_width * TILE; i += LANES) store(to + i, load(to + i) * load(scale + i % TILE));
    }
    float* x = tile_of(x_, tile);
    layer<After::ADD>(block.output, block.output_bias, attended, width_, width_, x);
    normalise(x, width_, y);
    layer<After::RELU>(block.feed_first, block.feed_first_bias, y, width_, width_, attended);
    layer<After::ADD>(block.feed_second, block.feed_second_bias, attended, width_, width_, x);
  }

  int width_, heads_, count_, tiles_;
  std::vector<int> attended_;  // tokens that are not masked
  std::vector<float> x_, query_, keys_, values_;
};

}  // namespace

bool Blocks::read(int count) {
  Reader from(block);
  parts.resize(count);
  for (Block& part : parts) {
    from.layer(part.attention, part.attention_bias, width, 3 * width);
    from.layer(part.output, part.output_bias, width, width);
    from.layer(part.feed_first, part.feed_first_bias, width, width);
    from.layer(part.feed_second, part.feed_second_bias, width, width);
  }
  return from.exact();
}

void Blocks::run(float* tokens, int count, const uint8_t* mask) const {
  Sequence sequence(*this, count, mask);
  sequence.read(tokens);
  for (const Block& part : parts) sequence.apply(part);
  sequence.write(tokens);
}

}  // namespace im2hands
