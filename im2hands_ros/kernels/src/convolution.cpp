// Direct convolution: a tile of pixels of a row times a block of outputs is summed up in registers.
#include <algorithm>
#include <stdexcept>

#include "encoder.h"
#include "pool.h"
#include "vector.h"

namespace im2hands {
namespace {

// PIXELS times VECTORS accumulators, the weights and one input fit in the instruction set's registers.
struct Shape {
  int pixels, vectors;
};

Shape shape_of([[maybe_unused]] int side, [[maybe_unused]] int outputs) {
#if defined(__AVX512F__)
  if (side % 12) return {6, 4};
  return outputs % 32 ? Shape{8, 3} : Shape{12, 2};
#elif defined(__aarch64__)
  return {6, 4};
#else
  return {6, 2};
#endif
}

struct Tile {
  const float *in, *weight, *bias, *add;
  float* out;
  int row_pitch, rows, run, channels;  // of the input: rows of `run` floats; of the output: channels of a pixel
  bool relu;
};

// PITCH floats from one pixel's input to the next one's.
template <int PITCH, int PIXELS, int VECTORS>
void convolve(const Tile& tile) {
  Floats sum[PIXELS][VECTORS];
  for (int p = 0; p < PIXELS; ++p)
    for (int v = 0; v < VECTORS; ++v) sum[p][v] = load(tile.bias + v * LANES);
  const float* weight = tile.weight;
  for (int row = 0; row < tile.rows; ++row) {
    const float* in = tile.in + static_cast<ptrdiff_t>(row) * tile.row_pitch;
    for (int i = 0; i < tile.run; ++i, weight += VECTORS * LANES) {
      Floats w[VECTORS];
      for (int v = 0; v < VECTORS; ++v) w[v] = load(weight + v * LANES);
      for (int p = 0; p < PIXELS; ++p) {
        Floats x = all(in[p * PITCH + i]);
        for (int v = 0; v < VECTORS; ++v) sum[p][v] += w[v] * x;
      }
    }
  }
  for (int p = 0; p < PIXELS; ++p)
    for (int v = 0; v < VECTORS; ++v) {
      int place = p * tile.channels + v * LANES;
      Floats value = sum[p][v];
      if (tile.add) value += load(tile.add + place);
      store(tile.out + place, tile.relu ? larger(value, Floats{}) : value);
    }
}

using Kernel = void (*)(const Tile&);

template <int PIXELS, int VECTORS>
Kernel kernel_of(int pitch) {
  switch (pitch) {
    case 6: return convolve<6, PIXELS, VECTORS>;
    case 32: return convolve<32, PIXELS, VECTORS>;
    case 64: return convolve<64, PIXELS, VECTORS>;
    case 128: return convolve<128, PIXELS, VECTORS>;
    case 192: return convolve<192, PIXELS, VECTORS>;
    case 256: return convolve<256, PIXELS, VECTORS>;
    default: throw std::invalid_argument("no convolution of this width is compiled");
  }
}

Kernel kernel_of(Shape shape, int pitch) {
#if defined(__AVX512F__)
  if (shape.pixels == 12) return kernel_of<12, 2>(pitch);
  if (shape.pixels == 8) return kernel_of<8, 3>(pitch);
  return kernel_of<6, 4>(pitch);
#elif defined(__aarch64__)
  return shape.pixels == 6 ? kernel_of<6, 4>(pitch) : nullptr;
#else
  return shape.pixels == 6 ? kernel_of<6, 2>(pitch) : nullptr;
#endif
}

}  // namespace

void Map::resize(int new_side, int new_channels, int new_border) {
  if (side == new_side && channels == new_channels) return;
  side = new_side, channels = new_channels, border = new_border;
  int full = side + 2 * border;
  values.assign(static_cast<size_t>(full) * full * channels, 0.0f);
}

void Convolution::run(const Map& from, const Map* add, bool relu, Map& to) const {
  to.resize(from.side / stride, stored, 1);
  Shape shape = shape_of(to.side, stored);
  int outputs = shape.vectors * LANES, blocks = stored / outputs, size = kernel * kernel * in * outputs;
  Kernel tile_of = kernel_of(shape, stride * in);
  // Tasks of some ten microseconds: blocks of outputs, and of some rows.
  int rows = std::max(1, to.side / 8), groups = (to.side + rows - 1) / rows;
  in_parallel(blocks * groups, [&](int task) {
    int block = task / groups, first = task % groups * rows;
    for (int y = first; y < std::min(first + rows, to.side); ++y)
      for (int x = 0; x < to.side; x += shape.pixels) {
        int reach = kernel / 2;
        Tile tile{from.at(y * stride - reach, x * stride - reach),
                  weight.data() + static_cast<size_t>(block) * size,
                  bias.data() + block * outputs,
                  add ? add->at(y, x) + block * outputs : nullptr,
                  to.at(y, x) + block * outputs,
                  from.pitch(),
                  kernel,
                  kernel * in,
                  stored,
                  relu};
        tile_of(tile);
      }
  });
}

// Outputs that a block holds, for weights to be stored in blocks.
int block_of(int side, int outputs) { return shape_of(side, outputs).vectors * LANES; }

}  // namespace im2hands
