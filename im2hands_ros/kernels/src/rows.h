// Layers of networks over rows of few items: activations [row][channel], weights [input][output], lanes over outputs.
#pragma once

#include <algorithm>
#include <cstddef>

#include "pool.h"
#include "vector.h"

namespace im2hands {

struct Rows {
  float* at;
  int count, pitch;  // rows, and floats from one to the next
};

// Accumulators of a block: ROWS_AT_ONCE times VECTORS.
constexpr int ROWS_AT_ONCE = 6;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int VECTORS = 4;
#else
constexpr int VECTORS = 2;
#endif

template <int ROWS, int WIDE>
INLINE void block_of_rows(const float* weight, int outputs, const float* bias, const float* x, int x_pitch, int inputs,
                          bool relu, bool add, float* y, int y_pitch) {
  Floats sum[ROWS][WIDE];
  for (int r = 0; r < ROWS; ++r)
    for (int v = 0; v < WIDE; ++v) sum[r][v] = load(bias + v * LANES);
  for (int i = 0; i < inputs; ++i, weight += outputs) {
    Floats w[WIDE];
    for (int v = 0; v < WIDE; ++v) w[v] = load(weight + v * LANES);
    for (int r = 0; r < ROWS; ++r) {
      Floats in = all(x[static_cast<ptrdiff_t>(r) * x_pitch + i]);
      for (int v = 0; v < WIDE; ++v) sum[r][v] += w[v] * in;
    }
  }
  for (int r = 0; r < ROWS; ++r)
    for (int v = 0; v < WIDE; ++v) {
      float* to = y + static_cast<ptrdiff_t>(r) * y_pitch + v * LANES;
      Floats value = relu ? larger(sum[r][v], Floats{}) : sum[r][v];
      store(to, add ? value + load(to) : value);
    }
}

// y = relu(bias + x weight), or added to y. `outputs` is a multiple of 16; blocks of outputs are shared out.
inline void linear(const float* weight, const float* bias, Rows x, int inputs, int outputs, bool relu, bool add, Rows y) {
  auto columns = [&](int first, auto wide) {
    constexpr int WIDE = decltype(wide)::value;
    int r = 0;
    for (; r + ROWS_AT_ONCE <= x.count; r += ROWS_AT_ONCE)
      block_of_rows<ROWS_AT_ONCE, WIDE>(weight + first, outputs, bias + first, x.at + ptrdiff_t(r) * x.pitch, x.pitch,
                                        inputs, relu, add, y.at + ptrdiff_t(r) * y.pitch + first, y.pitch);
    for (; r + 2 <= x.count; r += 2)
      block_of_rows<2, WIDE>(weight + first, outputs, bias + first, x.at + ptrdiff_t(r) * x.pitch, x.pitch, inputs,
                             relu, add, y.at + ptrdiff_t(r) * y.pitch + first, y.pitch);
    for (; r < x.count; ++r)
      block_of_rows<1, WIDE>(weight + first, outputs, bias + first, x.at + ptrdiff_t(r) * x.pitch, x.pitch, inputs,
                             relu, add, y.at + ptrdiff_t(r) * y.pitch + first, y.pitch);
  };
  constexpr int WHOLE = VECTORS * LANES;
  int blocks = outputs / WHOLE;
  in_parallel(blocks, [&](int block) { columns(block * WHOLE, std::integral_constant<int, VECTORS>()); });
  for (int first = blocks * WHOLE; first < outputs; first += LANES) columns(first, std::integral_constant<int, 1>());
}

}  // namespace im2hands
