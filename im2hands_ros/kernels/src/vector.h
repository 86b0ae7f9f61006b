// Vectors of floats by the vector extensions of GCC and Clang; no intrinsics, so that one source serves
// SSE2, AVX2, AVX-512 and NEON. Work is done in tiles of TILE points, activations laid out as [channel][TILE].
#pragma once

#include <cstdint>
#include <cstring>

#define INLINE inline __attribute__((always_inline))

namespace im2hands {

// LANES of a register, TILE points, and BLOCK outputs of a layer at once: BLOCK * TILE / LANES accumulators,
// the inputs and one weight fit in the registers that the instruction set has.
#if defined(__AVX512F__)
constexpr int LANES = 16, TILE = 32, BLOCK = 8;
#elif defined(__AVX__)
constexpr int LANES = 8, TILE = 16, BLOCK = 6;
#elif defined(__aarch64__)
constexpr int LANES = 4, TILE = 16, BLOCK = 4;
#else
constexpr int LANES = 4, TILE = 8, BLOCK = 6;
#endif
constexpr int PARTS = TILE / LANES;  // registers of a tile

typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));
typedef float Four __attribute__((vector_size(16)));

INLINE Floats load(const float* from) {
  Floats value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
INLINE void store(float* to, Floats value) { std::memcpy(to, &value, sizeof value); }
INLINE Floats all(float x) { return x - Floats{}; }
INLINE Floats larger(Floats a, Floats b) { return a > b ? a : b; }
INLINE Floats smaller(Floats a, Floats b) { return a < b ? a : b; }
INLINE Floats within(Floats x, float low, float high) {
  return smaller(larger(x, all(low)), all(high));
}
INLINE Floats root(Floats x) {
  Floats result;
  for (int lane = 0; lane < LANES; ++lane) result[lane] = __builtin_sqrtf(x[lane]);
  return result;
}
INLINE bool any(Ints mask) {
  int32_t found = 0;
  for (int lane = 0; lane < LANES; ++lane) found |= mask[lane];
  return found != 0;
}

// Adding and taking away 1.5 * 2^23 rounds to the nearest whole number, which is then in the last bits.
constexpr float ROUNDER = 12582912.0f;

// exp(x), relative error below 3e-7; x is cut off at -87 and 88.
INLINE Floats exponential(Floats x) {
  x = within(x, -87.0f, 88.0f);
  Floats shifted = x * 1.44269504f + ROUNDER;
  Ints power = (Ints)shifted - (Ints)all(ROUNDER);
  Floats whole = shifted - ROUNDER;
  Floats r = x - whole * 0.693359375f + whole * 2.12194440e-4f;
  Floats p = all(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * (Floats)((power + 127) << 23);
}

// log(x) of normal x > 0, relative error below 1e-6.
INLINE Floats logarithm(Floats x) {
  Ints bits = (Ints)x;
  Ints exponent = (bits >> 23) - 127;
  Floats m = (Floats)((bits & 0x007fffff) | 0x3f800000);  // 1..2
  Ints high = m > 1.41421356f;
  m = high ? 0.5f * m : m;
  exponent -= high;  // a true lane is -1
  Floats r = m - 1.0f, square = r * r;
  Floats p = all(7.0376836292e-2f);
  p = p * r - 1.1514610310e-1f;
  p = p * r + 1.1676998740e-1f;
  p = p * r - 1.2420140846e-1f;
  p = p * r + 1.4249322787e-1f;
  p = p * r - 1.6668057665e-1f;
  p = p * r + 2.0000714765e-1f;
  p = p * r - 2.4999993993e-1f;
  p = p * r + 3.3333331174e-1f;
  Floats whole = __builtin_convertvector(exponent, Floats);
  return whole * 0.693147181f + (p * square * r - 0.5f * square + r);
}

// sin and cos of |x| up to some thousands, absolute error below 1e-6.
INLINE void sine_cosine(Floats x, Floats& sine, Floats& cosine) {
  Floats shifted = x * 0.636619772f + ROUNDER;
  Ints quarter = (Ints)shifted - (Ints)all(ROUNDER);
  Floats whole = shifted - ROUNDER;
  Floats r = x - whole * 1.5703125f;
  r = r - whole * 4.837512969970703125e-4f;
  r = r - whole * 7.54978995489188216e-8f;
  Floats square = r * r;
  Floats s = all(-1.9515295891e-4f);
  s = s * square + 8.3321608736e-3f;
  s = s * square - 1.6666654611e-1f;
  s = s * square * r + r;
  Floats c = all(2.443315711809948e-5f);
  c = c * square - 1.388731625493765e-3f;
  c = c * square + 4.166664568298827e-2f;
  c = c * square * square - 0.5f * square + 1.0f;
  Ints odd = (quarter & 1) != 0;
  Floats a = odd ? c : s, b = odd ? s : c;
  sine = (quarter & 2) != 0 ? -a : a;
  cosine = ((quarter + 1) & 2) != 0 ? -b : b;
}

// Four rows of four numbers to four columns.
INLINE void transpose(Four& a, Four& b, Four& c, Four& d) {
#if defined(__clang__)
#define PICK(x, y, i, j, k, l) __builtin_shufflevector(x, y, i, j, k, l)
#else
  typedef int32_t Places __attribute__((vector_size(16)));
#define PICK(x, y, i, j, k, l) __builtin_shuffle(x, y, (Places){i, j, k, l})
#endif
  Four ab_low = PICK(a, b, 0, 4, 1, 5), ab_high = PICK(a, b, 2, 6, 3, 7);
  Four cd_low = PICK(c, d, 0, 4, 1, 5), cd_high = PICK(c, d, 2, 6, 3, 7);
  a = PICK(ab_low, cd_low, 0, 1, 4, 5);
  b = PICK(ab_low, cd_low, 2, 3, 6, 7);
  c = PICK(ab_high, cd_high, 0, 1, 4, 5);
  d = PICK(ab_high, cd_high, 2, 3, 6, 7);
#undef PICK
}

INLINE Four load_four(const float* from) {
  Four value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace im2hands
