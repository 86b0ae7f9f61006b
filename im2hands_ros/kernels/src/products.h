// Products of dense rows with rows that are picked from a matrix: activations [row][channel], lanes over channels.
#pragma once

#include <cstddef>
#include <type_traits>

#include "vector.h"

namespace im2hands {

// Sums of a block: PRODUCT_ROWS times PRODUCT_VECTORS registers.
constexpr int PRODUCT_ROWS = 6;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int PRODUCT_VECTORS = 4;
#else
constexpr int PRODUCT_VECTORS = 2;
#endif

template <int ROWS, int WIDE>
INLINE void product_block(const float* a, size_t pitch, const float* const* picked, int inner, int column, float* y,
                          size_t y_pitch) {
  Floats sum[ROWS][WIDE];
  for (int r = 0; r < ROWS; ++r)
    for (int v = 0; v < WIDE; ++v) sum[r][v] = Floats{};
  for (int i = 0; i < inner; ++i) {
    const float* row = picked[i] + column;
    Floats w[WIDE];
    for (int v = 0; v < WIDE; ++v) w[v] = load(row + v * LANES);
    for (int r = 0; r < ROWS; ++r) {
      Floats in = all(a[r * pitch + i]);
      for (int v = 0; v < WIDE; ++v) sum[r][v] += w[v] * in;
    }
  }
  for (int r = 0; r < ROWS; ++r)
    for (int v = 0; v < WIDE; ++v) store(y + r * y_pitch + column + v * LANES, sum[r][v]);
}

// y (rows, width) = a (rows, inner) times the picked rows (inner, width); width is a multiple of 16.
inline void product(const float* a, size_t pitch, int rows, const float* const* picked, int inner, int width, float* y) {
  auto columns = [&](int column, auto wide) {
    constexpr int WIDE = decltype(wide)::value;
    int r = 0;
    for (; r + PRODUCT_ROWS <= rows; r += PRODUCT_ROWS)
      product_block<PRODUCT_ROWS, WIDE>(a + r * pitch, pitch, picked, inner, column, y + size_t(r) * width, width);
    for (; r + 2 <= rows; r += 2)
      product_block<2, WIDE>(a + r * pitch, pitch, picked, inner, column, y + size_t(r) * width, width);
    for (; r < rows; ++r)
      product_block<1, WIDE>(a + r * pitch, pitch, picked, inner, column, y + size_t(r) * width, width);
  };
  constexpr int WHOLE = PRODUCT_VECTORS * LANES;
  int column = 0;
  for (; column + WHOLE <= width; column += WHOLE) columns(column, std::integral_constant<int, PRODUCT_VECTORS>());
  for (; column + 2 * LANES <= width; column += 2 * LANES) columns(column, std::integral_constant<int, 2>());
  for (; column < width; column += LANES) columns(column, std::integral_constant<int, 1>());
}

}  // namespace im2hands
