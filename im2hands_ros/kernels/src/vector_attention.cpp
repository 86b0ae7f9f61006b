// Attention with a weight per channel, without most of its products.
//
// Points that lie close together and attend to the same neighbour have nearly the same offset from it, so most hidden
// units have one sign for all of them. Together, units that are positive for all are affine in the offset: one product
// for the group in place of one for each pair. Units that are negative for all are left out. Only what is left goes
// through its layer pair by pair. The same holds for the scores' hidden units. Whatever the weights are, the result is
// the same but for rounding; only the time depends on how many units have one sign.
#include "vector_attention.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "pool.h"
#include "products.h"
#include "reader.h"

namespace im2hands {

namespace {

constexpr int PAIRS_AT_ONCE = 1152, FEWEST_POINTS = 32;  // what a chunk's scores and values take of the cache
constexpr int BASIS = 4;                                  // one and the offset: what everything affine is made of

// Units by their sign over a group.
struct Units {
  std::vector<int> positive, mixed;

  void sort_out(const float* low, const float* high, int count) {
    positive.clear(), mixed.clear();
    for (int u = 0; u < count; ++u) {
      if (high[u] <= 0) continue;
      (low[u] >= 0 ? positive : mixed).push_back(u);
    }
  }
  // Where a group has fewer members than the affine part has rows, one by one is cheaper.
  void all_mixed() {
    mixed.insert(mixed.end(), positive.begin(), positive.end());
    positive.clear();
  }
};

INLINE void range_of(const float* rows, int count, int width, float* low, float* high) {
  for (int c = 0; c < width; c += LANES) {
    Floats least = load(rows + c), most = least;
    for (int m = 1; m < count; ++m) {
      Floats value = load(rows + size_t(m) * width + c);
      least = smaller(least, value), most = larger(most, value);
    }
    store(low + c, least), store(high + c, most);
  }
}

// A chunk of points that are near to each other; its pairs are worked on neighbour by neighbour.
class Chunk {
 public:
  Chunk(const VectorAttention& layers, const AttendedCloud& cloud, const AttendingPoints& points)
      : layers_(layers), cloud_(cloud), points_(points), width_(layers.width) {}

  void run(const int* order, int count, float* out) {
    order_ = order;
    sort_pairs(count);
    size_t pairs = size_t(count) * points_.neighbours;
    scores_.resize(pairs * width_), values_.resize(pairs * width_);
    for (int j = 0; j < cloud_.count; ++j)
      if (int members = starts_[j + 1] - starts_[j]) group(j, starts_[j], members);
    for (int p = 0; p < count; ++p) weigh(rows_.data() + size_t(p) * points_.neighbours, out + size_t(order[p]) * width_);
  }

 private:
  // rows_: of each pair in the scores, which are sorted by neighbour; point_of_: of each row.
  void sort_pairs(int count) {
    int k = points_.neighbours;
    starts_.assign(cloud_.count + 2, 0);
    for (int p = 0; p < count; ++p)
      for (int n = 0; n < k; ++n) ++starts_[near(p, n) + 2];
    std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
    rows_.resize(size_t(count) * k), point_of_.resize(size_t(count) * k);
    for (int p = 0; p < count; ++p)
      for (int n = 0; n < k; ++n) {
        int row = starts_[near(p, n) + 1]++;
        rows_[size_t(p) * k + n] = row, point_of_[row] = order_[p];
      }
  }
  int near(int p, int n) const { return points_.near[int64_t(order_[p]) * points_.neighbours + n]; }

  void group(int j, int first, int members) {
    const int* point_of = point_of_.data() + first;
    int inner = basis(j, point_of, members);
    affine(layers_.joint, cloud_.keys + size_t(j) * width_, hidden_, score_rows_, score_head_);
    affine(layers_.second, cloud_.values + size_t(j) * width_, hidden_, value_rows_, value_head_);
    product(basis_.data(), inner, members, value_rows_.data(), inner, width_, values_.data() + size_t(first) * width_);
    float* scores = scores_.data() + size_t(first) * width_;
    product(basis_.data(), inner, members, score_rows_.data(), inner, width_, scores);
    if (points_.queries)
      for (int m = 0; m < members; ++m) add(points_.queries + size_t(point_of[m]) * width_, scores + size_t(m) * width_);
    second_layer(inner, members, scores);
  }

  // The members' rows: one, the offset, and the mixed hidden units. Returns how long a row is.
  int basis(int j, const int* point_of, int members) {
    const float *at = cloud_.positions + 3 * size_t(j), *w = layers_.first;
    offsets_.resize(3 * members);
    for (int m = 0; m < members; ++m)
      for (int axis = 0; axis < 3; ++axis)
        offsets_[3 * m + axis] = points_.positions[3 * int64_t(point_of[m]) + axis] - at[axis];
    low_.resize(width_), high_.resize(width_);
    for (int c = 0; c < width_; c += LANES) {
      Floats least = all(INFINITY), most = all(-INFINITY);
      Floats x = load(w + c), y = load(w + width_ + c), z = load(w + 2 * width_ + c), b = load(layers_.first_bias + c);
      for (const float* d = offsets_.data(); d < offsets_.data() + 3 * members; d += 3) {
        Floats value = b + x * d[0] + y * d[1] + z * d[2];
        least = smaller(least, value), most = larger(most, value);
      }
      store(low_.data() + c, least), store(high_.data() + c, most);
    }
    hidden_.sort_out(low_.data(), high_.data(), width_);
    if (members < BASIS) hidden_.all_mixed();
    int inner = BASIS + static_cast<int>(hidden_.mixed.size());
    basis_.resize(size_t(members) * inner);
    for (int m = 0; m < members; ++m) {
      const float* d = offsets_.data() + 3 * m;
      float* row = basis_.data() + size_t(m) * inner;
      row[0] = 1, row[1] = d[0], row[2] = d[1], row[3] = d[2];
      for (int u : hidden_.mixed)
        *(row++ + BASIS) = std::max(0.0f, layers_.first_bias[u] + w[u] * d[0] + w[width_ + u] * d[1] + w[2 * width_ + u] * d[2]);
    }
    return inner;
  }

  // The rows that the basis is multiplied with: the affine part of the positive units, and the mixed units' own rows.
  void affine(const float* matrix, const float* constant, const Units& units, std::vector<const float*>& rows,
              std::vector<float>& head) {
    size_t positive = units.positive.size();
    coefficients_.resize(BASIS * positive), picked_.resize(positive);
    for (size_t i = 0; i < positive; ++i) {
      int u = units.positive[i];
      picked_[i] = matrix + size_t(u) * width_;
      coefficients_[i] = layers_.first_bias[u];
      for (int axis = 0; axis < 3; ++axis) coefficients_[(axis + 1) * positive + i] = layers_.first[axis * width_ + u];
    }
    head.resize(size_t(BASIS) * width_);
    product(coefficients_.data(), positive, BASIS, picked_.data(), static_cast<int>(positive), width_, head.data());
    add(constant, head.data());
    rows.clear();
    for (int row = 0; row < BASIS; ++row) rows.push_back(head.data() + size_t(row) * width_);
    for (int u : units.mixed) rows.push_back(matrix + size_t(u) * width_);
  }

  // Scores before their ReLU to scores of the softmax, in place.
  void second_layer(int inner, int members, float* scores) {
    range_of(scores, members, width_, low_.data(), high_.data());
    scored_.sort_out(low_.data(), high_.data(), width_);
    if (points_.queries || members < inner) scored_.all_mixed();
    int affine_rows = scored_.positive.empty() ? 1 : inner, mixed = static_cast<int>(scored_.mixed.size());
    last_head_.assign(size_t(affine_rows) * width_, 0.0f);
    if (!scored_.positive.empty()) fold_scores(inner);
    if (points_.whole)
      for (int c = 0; c < width_; ++c) last_head_[c] -= points_.whole[c];
    last_rows_.clear();
    for (int row = 0; row < affine_rows; ++row) last_rows_.push_back(last_head_.data() + size_t(row) * width_);
    for (int u : scored_.mixed) last_rows_.push_back(layers_.score + size_t(u) * width_);
    size_t pitch = affine_rows + mixed;
    wide_basis_.resize(members * pitch);
    for (int m = 0; m < members; ++m) {
      const float* from = basis_.data() + size_t(m) * inner;
      float* row = std::copy(from, from + affine_rows, wide_basis_.data() + m * pitch);
      for (int u : scored_.mixed) *row++ = std::max(0.0f, scores[size_t(m) * width_ + u]);
    }
    product(wide_basis_.data(), pitch, members, last_rows_.data(), static_cast<int>(pitch), width_, scores);
  }

  void fold_scores(int inner) {
    size_t positive = scored_.positive.size();
    coefficients_.resize(inner * positive), picked_.resize(positive);
    for (size_t i = 0; i < positive; ++i) {
      int u = scored_.positive[i];
      picked_[i] = layers_.score + size_t(u) * width_;
      for (int row = 0; row < inner; ++row) coefficients_[row * positive + i] = score_rows_[row][u];
    }
    product(coefficients_.data(), positive, inner, picked_.data(), static_cast<int>(positive), width_, last_head_.data());
  }

  void add(const float* from, float* to) const {
    for (int c = 0; c < width_; c += LANES) store(to + c, load(to + c) + load(from + c));
  }

  // Softmax over a point's pairs for each channel, relative to the score of the neighbour of all, which is 0.
  void weigh(const int* rows, float* out) const {
    const float* whole = points_.whole;
    for (int c = 0; c < width_; c += LANES) {
      const float *scores = scores_.data() + c, *values = values_.data() + c;
      Floats most = load(scores + size_t(rows[0]) * width_);
      for (int n = 1; n < points_.neighbours; ++n) most = larger(most, load(scores + size_t(rows[n]) * width_));
      if (whole) most = larger(most, Floats{});
      Floats total = {}, sum = {};
      for (int n = 0; n < points_.neighbours; ++n) {
        Floats share = exponential(load(scores + size_t(rows[n]) * width_) - most);
        total += share, sum += share * load(values + size_t(rows[n]) * width_);
      }
      if (whole) {
        Floats share = exponential(-most);
        total += share, sum += share * load(whole + width_ + c);
      }
      store(out + c, sum / total);
    }
  }

  const VectorAttention& layers_;
  const AttendedCloud& cloud_;
  const AttendingPoints& points_;
  const int width_;
  const int* order_ = nullptr;
  std::vector<int> starts_, rows_, point_of_;
  std::vector<float> scores_, values_, offsets_, low_, high_, basis_, wide_basis_, coefficients_, score_head_, value_head_,
      last_head_;
  std::vector<const float*> picked_, score_rows_, value_rows_, last_rows_;
  Units hidden_, scored_;
};

uint32_t spread(uint32_t x) {  // ten bits to every third
  x = (x | x << 16) & 0x030000ff;
  x = (x | x << 8) & 0x0300f00f;
  x = (x | x << 4) & 0x030c30c3;
  return (x | x << 2) & 0x09249249;
}

// The points' numbers along a curve that keeps neighbours together (Morton's).
std::vector<int> along_curve(const float* points, int64_t count) {
  float low[3] = {INFINITY, INFINITY, INFINITY}, high[3] = {-INFINITY, -INFINITY, -INFINITY};
  for (int64_t i = 0; i < 3 * count; ++i) {
    low[i % 3] = std::min(low[i % 3], points[i]);
    high[i % 3] = std::max(high[i % 3], points[i]);
  }
  float side = std::max({high[0] - low[0], high[1] - low[1], high[2] - low[2], 1e-6f});
  std::vector<uint64_t> keys(count);
  for (int64_t i = 0; i < count; ++i) {
    uint32_t code = 0;
    for (int axis = 0; axis < 3; ++axis)
      code |= spread(static_cast<uint32_t>((points[3 * i + axis] - low[axis]) / side * 1023)) << axis;
    keys[i] = uint64_t(code) << 32 | static_cast<uint32_t>(i);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<int> order(count);
  for (int64_t i = 0; i < count; ++i) order[i] = static_cast<int>(keys[i] & 0xffffffff);
  return order;
}

}  // namespace

bool VectorAttention::read() {
  Reader reader(block);
  size_t size = width;
  reader.layer(first, first_bias, 3, size);
  reader.take(second, size * size);
  reader.take(joint, size * size);
  reader.take(score, size * size);
  return reader.exact();
}

void VectorAttention::run(const AttendedCloud& cloud, const AttendingPoints& points, float* out) const {
  std::vector<int> order = along_curve(points.positions, points.count);
  int64_t each = std::max(FEWEST_POINTS, PAIRS_AT_ONCE / points.neighbours);
  in_parallel(static_cast<int>((points.count + each - 1) / each), [&](int number) {
    int64_t start = number * each;
    Chunk(*this, cloud, points).run(order.data() + start, static_cast<int>(std::min(each, points.count - start)), out);
  });
}

}  // namespace im2hands
