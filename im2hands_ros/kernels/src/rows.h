// Layers of networks over rows of few items: activations [row][channel], weights [input][output], lanes over outputs.
#pragma once

#include <algorithm>
#include <cstddef>

#include "pool.h"
#include "reader.h"
#include "vector.h"

namespace im2hands {

// Accumulators of a block: ROWS_AT_ONCE times VECTORS.
constexpr int ROWS_AT_ONCE = 6;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int VECTORS = 4;
#else
constexpr int VECTORS = 2;
#endif

template <int ROWS, int WIDE>
INLINE void block_of_rows(const float* weight, int outputs, const float* bias, const float* x, int inputs, bool relu,
                          bool add, float* y) {
  Floats sum[ROWS][WIDE];
  for (int r = 0; r < ROWS; ++r)
    for (int v = 0; v < WIDE; ++v) sum[r][v] = load(bias + v * LANES);
  for (int i = 0; i < inputs; ++i, weight += outputs) {
    Floats w[WIDE];
    for (int v = 0; v < WIDE; ++v) w[v] = load(weight + v * LANES);
    for (int r = 0; r < ROWS; ++r) {
      Floats in = all(x[static_cast<ptrdiff_t>(r) * inputs + i]);
      for (int v = 0; v < WIDE; ++v) sum[r][v] += w[v] * in;
    }
  }
  for (int r = 0; r < ROWS; ++r)
    for (int v = 0; v < WIDE; ++v) {
      float* to = y + static_cast<ptrdiff_t>(r) * outputs + v * LANES;
      Floats value = relu ? larger(sum[r][v], Floats{}) : sum[r][v];
      store(to, add ? value + load(to) : value);
    }
}

// Weights [inputs][outputs] and biases; `outputs` is a multiple of 16.
struct RowLayer {
  const float *weight, *bias;
  int inputs, outputs;

  void read(Reader& from, int in, int out) {
    inputs = in, outputs = out;
    from.layer(weight, bias, in, out);
  }

  // y [count][outputs] = bias + x [count][inputs] weight; or its positive part; or added to y.
  void run(const float* x, int count, float* y) const { compute(x, count, false, false, y); }
  void run_relu(const float* x, int count, float* y) const { compute(x, count, true, false, y); }
  void add(const float* x, int count, float* y) const { compute(x, count, false, true, y); }

 private:
  template <int ROWS, int WIDE>
  void block(const float* x, int row, int first, bool relu, bool add, float* y) const {
    block_of_rows<ROWS, WIDE>(weight + first, outputs, bias + first, x + ptrdiff_t(row) * inputs, inputs, relu, add,
                              y + ptrdiff_t(row) * outputs + first);
  }

  template <int WIDE>
  void columns(const float* x, int count, int first, bool relu, bool add, float* y) const {
    int r = 0;
    for (; r + ROWS_AT_ONCE <= count; r += ROWS_AT_ONCE) block<ROWS_AT_ONCE, WIDE>(x, r, first, relu, add, y);
    for (; r + 2 <= count; r += 2) block<2, WIDE>(x, r, first, relu, add, y);
    for (; r < count; ++r) block<1, WIDE>(x, r, first, relu, add, y);
  }

  // Blocks of outputs are shared out.
  void compute(const float* x, int count, bool relu, bool add, float* y) const {
    constexpr int WHOLE = VECTORS * LANES;
    int blocks = outputs / WHOLE;
    in_parallel(blocks, [&](int block) { columns<VECTORS>(x, count, block * WHOLE, relu, add, y); });
    for (int first = blocks * WHOLE; first < outputs; first += LANES) columns<1>(x, count, first, relu, add, y);
  }
};

}  // namespace im2hands
