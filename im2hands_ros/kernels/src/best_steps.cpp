// The likeliest pair of steps of two hands along their rays.
#include <algorithm>
#include <cmath>
#include <vector>

#include "skin.h"
#include "vector.h"

namespace im2hands {
namespace {

// Of the used pixels: how far each is behind a hand's near side that moves by each step, how likely it is when that side
// is seen, and whether it is seen through the hand. Padded to whole registers with pixels of likelihood 1.
struct Tables {
  int steps;
  size_t padded;
  std::vector<float> behind, seen;
  std::vector<int32_t> hidden;

  Tables(const double* depth, const double* limb, const double* core, const double* shown,
         const std::vector<int64_t>& used, const double* tried, int steps, const Chances& chances)
      : steps(steps), padded((used.size() + LANES - 1) / LANES * LANES) {
    behind.assign(steps * padded, 0), seen.assign(steps * padded, 1), hidden.assign(steps * padded, 0);
    std::vector<float> off(padded), through(padded), share(padded), rest(padded, 1);
    for (size_t i = 0; i < used.size(); ++i) {
      int64_t pixel = used[i];
      off[i] = float(depth[pixel] - limb[pixel]);
      through[i] = float(depth[pixel] - core[pixel]);
      share[i] = float(shown[pixel]);
      rest[i] = float((1 - shown[pixel]) / chances.range + chances.mistakes / chances.range);
    }
    for (size_t i = used.size(); i < padded; ++i) through[i] = -1e9f;
    const float narrow = float(-0.5 / (chances.uneven * chances.uneven)), height = float(1 / (2.5 * chances.uneven));
    const float limit = float(chances.behind);
    for (int s = 0; s < steps; ++s) {
      const float step = float(tried[s]);
      for (size_t i = 0; i < padded; i += LANES) {
        size_t at = s * padded + i;
        Floats moved = load(off.data() + i) - step;
        store(behind.data() + at, moved);
        store(seen.data() + at, load(share.data() + i) * exponential(narrow * moved * moved) * height + load(rest.data() + i));
        Ints beyond = load(through.data() + i) - step > limit;
        std::memcpy(hidden.data() + at, &beyond, sizeof beyond);
      }
    }
  }
};

INLINE Ints load_mask(const int32_t* from) {
  Ints value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// The sum of the logarithms of likelihoods, which lie between 1e-2 and 1e2: a product of eight is within float32.
template <class Likelihood>
double sum_of_logarithms(size_t padded, Likelihood likelihood) {
  Floats sum = {}, product = all(1.0f);
  int factors = 0;
  for (size_t i = 0; i < padded; i += LANES) {
    product *= likelihood(i);
    if (++factors < 8) continue;
    sum += logarithm(product);
    product = all(1.0f), factors = 0;
  }
  sum += logarithm(product);
  double total = 0;
  for (int l = 0; l < LANES; ++l) total += sum[l];
  return total;
}

double alone(const Tables& table, int step, float mistake) {
  const float* seen = table.seen.data() + step * table.padded;
  const int32_t* hidden = table.hidden.data() + step * table.padded;
  return sum_of_logarithms(table.padded,
                           [&](size_t i) { return load_mask(hidden + i) ? all(mistake) : load(seen + i); });
}

// Of two hands at their steps: the nearer one is seen.
double together(const Tables& a, int i, const Tables& b, int j, float mistake) {
  size_t first = i * a.padded, second = j * b.padded;
  const float *behind_a = a.behind.data() + first, *behind_b = b.behind.data() + second;
  const float *seen_a = a.seen.data() + first, *seen_b = b.seen.data() + second;
  const int32_t *hidden_a = a.hidden.data() + first, *hidden_b = b.hidden.data() + second;
  return sum_of_logarithms(a.padded, [&](size_t p) {
    Floats seen = load(behind_a + p) > load(behind_b + p) ? load(seen_a + p) : load(seen_b + p);
    return (load_mask(hidden_a + p) | load_mask(hidden_b + p)) ? all(mistake) : seen;
  });
}

}  // namespace

void best_steps(const double* depth, const double* limb, const double* core, int hands, const double* shown,
                int64_t count, const double* tried, int steps, const Chances& chances, int32_t* best) {
  std::vector<int64_t> only[2], both;
  for (int64_t p = 0; p < count; ++p) {
    bool met[2] = {std::isfinite(limb[p]), hands == 2 && std::isfinite(limb[count + p])};
    if (met[0] && met[1])
      both.push_back(p);
    else if (met[0] || met[1])
      only[met[1]].push_back(p);
  }
  double pixels = std::max<double>(1, double(only[0].size() + only[1].size() + both.size()));
  double weight = std::min(chances.weight, chances.count * hands / pixels);
  const float mistake = float(chances.mistakes / chances.range);
  double own[2][MOST_STEPS] = {};
  for (int hand = 0; hand < hands; ++hand) {
    Tables table(depth, limb + hand * count, core + hand * count, shown, only[hand], tried, steps, chances);
    for (int s = 0; s < steps; ++s) {
      double share = tried[s] / chances.usual;
      own[hand][s] = weight * alone(table, s, mistake) - 0.5 * share * share;
    }
  }
  if (hands == 1) {
    best[0] = int32_t(std::max_element(own[0], own[0] + steps) - own[0]);
    return;
  }
  Tables a(depth, limb, core, shown, both, tried, steps, chances);
  Tables b(depth, limb + count, core + count, shown, both, tried, steps, chances);
  double most = -1e300;
  for (int i = 0; i < steps; ++i)
    for (int j = 0; j < steps; ++j) {
      double total = own[0][i] + own[1][j] + weight * together(a, i, b, j, mistake);
      if (total > most) most = total, best[0] = i, best[1] = j;
    }
}

}  // namespace im2hands
