// Layers of small networks over a tile of points: activations [channel][TILE], weights [input][output].
#pragma once

#include <cstddef>
#include <type_traits>

#include "vector.h"

namespace im2hands {

enum class After { NOTHING, RELU, LEAKY, ADD };  // ADD: to what the output holds

// OUT outputs at once, their sums in registers.
template <int OUT, After AFTER>
INLINE void outputs(const float* weight, int stride, const float* bias, const float* x, int inputs, float* y) {
  Floats sum[OUT][PARTS];
  for (int o = 0; o < OUT; ++o)
    for (int p = 0; p < PARTS; ++p) sum[o][p] = bias ? all(bias[o]) : Floats{};
  for (int i = 0; i < inputs; ++i) {
    Floats in[PARTS];
    for (int p = 0; p < PARTS; ++p) in[p] = load(x + i * TILE + p * LANES);
    const float* row = weight + static_cast<size_t>(i) * stride;
    for (int o = 0; o < OUT; ++o) {
      Floats w = all(row[o]);
      for (int p = 0; p < PARTS; ++p) sum[o][p] += w * in[p];
    }
  }
  for (int o = 0; o < OUT; ++o)
    for (int p = 0; p < PARTS; ++p) {
      float* to = y + o * TILE + p * LANES;
      Floats value = sum[o][p];
      if (AFTER == After::RELU) value = larger(value, Floats{});
      if (AFTER == After::LEAKY) value = larger(value, 0.1f * value);
      if (AFTER == After::ADD) value += load(to);
      store(to, value);
    }
}

// y[out][TILE] = after(bias + weight x[in][TILE]); bias may be null. Rows of weights are `stride` apart.
template <After AFTER>
INLINE void strided_layer(const float* weight, int stride, const float* bias, const float* x, int in, int out,
                          float* y) {
  int o = 0;
  auto step = [&](auto width) {
    constexpr int OUT = decltype(width)::value;
    for (; o + OUT <= out; o += OUT)
      outputs<OUT, AFTER>(weight + o, stride, bias ? bias + o : nullptr, x, in, y + o * TILE);
  };
  step(std::integral_constant<int, BLOCK>());
  step(std::integral_constant<int, 4>());
  step(std::integral_constant<int, 2>());
  step(std::integral_constant<int, 1>());
}

template <After AFTER>
INLINE void layer(const float* weight, const float* bias, const float* x, int in, int out, float* y) {
  strided_layer<AFTER>(weight, out, bias, x, in, out, y);
}

// Scores [count][TILE] to weights before their division, and 1 / their sum.
INLINE void weights_of(float* scores, int count, float* scale) {
  for (int p = 0; p < TILE; p += LANES) {
    Floats most = load(scores + p), sum = {};
    for (int t = 1; t < count; ++t) most = larger(most, load(scores + t * TILE + p));
    for (int t = 0; t < count; ++t) {
      Floats weight = exponential(load(scores + t * TILE + p) - most);
      sum += weight;
      store(scores + t * TILE + p, weight);
    }
    store(scale + p, 1.0f / sum);
  }
}

// Zero mean and unit variance over channels; gain and shift are in the next layer's weights.
INLINE void normalise(const float* x, int channels, float* y) {
  for (int p = 0; p < TILE; p += LANES) {
    Floats sum = {}, squares = {};
    for (int c = 0; c < channels; ++c) sum += load(x + c * TILE + p);
    Floats mean = sum * (1.0f / channels);
    for (int c = 0; c < channels; ++c) {
      Floats off = load(x + c * TILE + p) - mean;
      squares += off * off;
    }
    Floats scale = 1.0f / root(squares * (1.0f / channels) + 1e-6f);
    for (int c = 0; c < channels; ++c)
      store(y + c * TILE + p, (load(x + c * TILE + p) - mean) * scale);
  }
}

// TILE rows of channels, a multiple of 4, to [channels][TILE].
INLINE void to_tile(const float* const* rows, int channels, float* y) {
  for (int l = 0; l < TILE; l += 4)
    for (int c = 0; c < channels; c += 4) {
      Four a = load_four(rows[l] + c), b = load_four(rows[l + 1] + c);
      Four d = load_four(rows[l + 2] + c), e = load_four(rows[l + 3] + c);
      transpose(a, b, d, e);
      std::memcpy(y + c * TILE + l, &a, sizeof a);
      std::memcpy(y + (c + 1) * TILE + l, &b, sizeof b);
      std::memcpy(y + (c + 2) * TILE + l, &d, sizeof d);
      std::memcpy(y + (c + 3) * TILE + l, &e, sizeof e);
    }
}

// [channels][TILE] to TILE rows.
INLINE void to_rows(const float* x, int channels, float* rows) {
  for (int l = 0; l < TILE; l += 4)
    for (int c = 0; c < channels; c += 4) {
      Four a = load_four(x + c * TILE + l), b = load_four(x + (c + 1) * TILE + l);
      Four d = load_four(x + (c + 2) * TILE + l), e = load_four(x + (c + 3) * TILE + l);
      transpose(a, b, d, e);
      std::memcpy(rows + l * channels + c, &a, sizeof a);
      std::memcpy(rows + (l + 1) * channels + c, &b, sizeof b);
      std::memcpy(rows + (l + 2) * channels + c, &d, sizeof d);
      std::memcpy(rows + (l + 3) * channels + c, &e, sizeof e);
    }
}

}  // namespace im2hands
