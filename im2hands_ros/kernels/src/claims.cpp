// Two hands: each one's corrections near its surface, and places that both claim shared out.
#include <algorithm>
#include <cmath>

#include "field.h"

namespace im2hands {
namespace {

constexpr float PER_PLACE = 10.0f;   // places are in units of 10 cm
constexpr float PER_DEPTH = 0.25f;   // depths in units of 4 mm
// An anchor of less than exp(-FAINT) of the strongest one's weight counts nothing: float32 would round it away.
constexpr float FAINT = 17.0f;

struct Attended {
  alignas(64) float weights[MOST_ANCHORS * TILE];
  int anchors[MOST_ANCHORS];  // those that count for some point of the tile
  int count;
  alignas(64) float scale[TILE];
};

// Scores [anchors][TILE] to weights of the anchors that count, lane by lane the same whatever the other lanes hold.
void strong(Attended& to, int anchors) {
  alignas(64) float most[TILE], sums[TILE] = {};
  for (int p = 0; p < TILE; p += LANES) {
    Floats high = load(to.weights + p);
    for (int t = 1; t < anchors; ++t) high = larger(high, load(to.weights + t * TILE + p));
    store(most + p, high);
  }
  to.count = 0;
  for (int t = 0; t < anchors; ++t) {
    const float* scores = to.weights + t * TILE;
    Ints counts = {};
    for (int p = 0; p < TILE; p += LANES) counts |= load(scores + p) > load(most + p) - FAINT;
    if (!any(counts)) continue;
    for (int p = 0; p < TILE; p += LANES) {
      Floats below = load(scores + p) - load(most + p);
      Floats weight = below > -FAINT ? exponential(below) : Floats{};
      store(sums + p, load(sums + p) + weight);
      store(to.weights + to.count * TILE + p, weight);
    }
    to.anchors[to.count++] = t;
  }
  for (int p = 0; p < TILE; p += LANES) store(to.scale + p, 1.0f / load(sums + p));
}

// Weighted values of a head [ANCHOR_KEY][TILE].
void gathered(const Attended& from, const float* values, float* y) {
  constexpr int OUT = 5;
  for (int first = 0; first < ANCHOR_KEY; first += OUT) {
    Floats sum[OUT][PARTS] = {};
    for (int i = 0; i < from.count; ++i) {
      const float* row = values + from.anchors[i] * ANCHOR_KEY + first;
      Floats weight[PARTS];
      for (int p = 0; p < PARTS; ++p) weight[p] = load(from.weights + i * TILE + p * LANES);
      for (int o = 0; o < OUT; ++o)
        for (int p = 0; p < PARTS; ++p) sum[o][p] += row[o] * weight[p];
    }
    for (int o = 0; o < OUT; ++o)
      for (int p = 0; p < PARTS; ++p)
        store(y + (first + o) * TILE + p * LANES, sum[o][p] * load(from.scale + p * LANES));
  }
}

// One head of the anchors' attention: query [HEAD][TILE] to attended [ANCHOR_KEY][TILE].
void attend(const Hand& hand, int head, const float* query, const float* points, float* attended) {
  alignas(64) float key[ANCHOR_KEY * TILE];
  for (int i = 0; i < HEAD * TILE; i += LANES) store(key + i, load(query + i) * 0.25f);
  std::memcpy(key + HEAD * TILE, points, 3 * TILE * sizeof(float));
  for (int p = 0; p < TILE; p += LANES) store(key + (ANCHOR_KEY - 1) * TILE + p, all(1.0f));
  Attended found;
  size_t first = static_cast<size_t>(head) * ANCHOR_KEY * hand.anchors;
  layer<After::NOTHING>(hand.anchor_keys + first, nullptr, key, ANCHOR_KEY, hand.anchors, found.weights);
  strong(found, hand.anchors);
  gathered(found, hand.anchor_values + first, attended);
}

// depth + fade * largest * tanh(correction)
void apply(const Network& network, const Hand& hand, const float* hidden, float* depths) {
  float largest = hand.share * network.largest;
  for (int p = 0; p < TILE; p += LANES) {
    Floats sum = all(network.claim_bias);
    for (int c = 0; c < HIDDEN; ++c) sum += network.claim_last[c] * load(hidden + c * TILE + p);
    Floats power = exponential(within(2.0f * sum, -60.0f, 60.0f));
    Floats depth = load(depths + p), share = depth * (1.0f / network.band);
    Floats fade = larger(1.0f - share * share, Floats{});
    store(depths + p, depth + fade * largest * ((power - 1.0f) / (power + 1.0f)));
  }
}

// Corrections of the listed points, in place.
void correct_listed(const Network& network, const Hand& hand, const float* points, const int* list, int count,
                    float* depths) {
  alignas(64) float tile[3 * TILE], depth[TILE];
  for (int from = 0; from < count; from += TILE) {
    gather(points, list, from, count, tile);
    for (int l = 0; l < TILE; ++l) depth[l] = depths[list[from + l < count ? from + l : count - 1]];
    correct(network, hand, tile, depth);
    for (int l = 0; l < TILE && from + l < count; ++l) depths[list[from + l]] = depth[l];
  }
}

// Points that the hand holds, or almost, and the other one may: their numbers into `chosen`.
int disputable(const Network& network, const Hand& hand, const float* points, int count, const float* depths,
               int* chosen) {
  int anchors = hand.anchors / 2, candidates = 0, found = 0;
  float low[3], high[3], near = network.near_anchors;
  for (int axis = 0; axis < 3; ++axis) {
    low[axis] = high[axis] = hand.their[axis];
    for (int a = 1; a < anchors; ++a) {
      low[axis] = std::min(low[axis], hand.their[3 * a + axis]);
      high[axis] = std::max(high[axis], hand.their[3 * a + axis]);
    }
  }
  for (int i = 0; i < count; ++i) {
    const float* p = points + 3 * i;
    bool inside = depths[i] > -network.almost;
    for (int axis = 0; axis < 3; ++axis) inside &= p[axis] > low[axis] - near && p[axis] < high[axis] + near;
    if (inside) chosen[candidates++] = i;
  }
  alignas(64) float tile[3 * TILE], square[TILE];
  for (int from = 0; from < candidates; from += TILE) {
    gather(points, chosen, from, candidates, tile);
    for (int p = 0; p < TILE; p += LANES) {
      Floats least = all(1e9f);
      for (int a = 0; a < anchors; ++a) {
        Floats x = load(tile + p) - hand.their[3 * a], y = load(tile + TILE + p) - hand.their[3 * a + 1];
        Floats z = load(tile + 2 * TILE + p) - hand.their[3 * a + 2];
        least = smaller(least, x * x + y * y + z * z);
      }
      store(square + p, least);
    }
    for (int l = 0; l < TILE && from + l < candidates; ++l)
      if (square[l] < near * near) chosen[found++] = chosen[from + l];
  }
  return found;
}

}  // namespace

void correct(const Network& network, const Hand& hand, const float* points, float* depths) {
  alignas(64) float in[4 * TILE], x[CLAIM_INPUTS * TILE], h[HIDDEN * TILE], g[HIDDEN * TILE], y[ANCHOR_KEY * TILE];
  for (int i = 0; i < 3 * TILE; i += LANES) store(in + i, load(points + i) * PER_PLACE);
  for (int p = 0; p < TILE; p += LANES) store(in + 3 * TILE + p, load(depths + p) * PER_DEPTH);
  layer<After::RELU>(network.ask_first, network.ask_first_bias, in, 4, WIDTH, h);
  layer<After::NOTHING>(network.ask_second, network.ask_second_bias, h, WIDTH, WIDTH, x);
  for (int head = 0; head < HEADS; ++head) {
    attend(hand, head, x + head * HEAD * TILE, points, y);
    std::memcpy(x + (WIDTH + head * HEAD) * TILE, y, HEAD * TILE * sizeof(float));
    for (int i = 0; i < 3 * TILE; i += LANES)
      store(x + (2 * WIDTH + 3 * head) * TILE + i, 10.0f * (load(in + i) - load(y + HEAD * TILE + i)));
  }
  std::memcpy(x + (CLAIM_INPUTS - 1) * TILE, in + 3 * TILE, TILE * sizeof(float));
  layer<After::LEAKY>(network.claim_first, network.claim_first_bias, x, CLAIM_INPUTS, HIDDEN, h);
  layer<After::LEAKY>(network.claim_second, network.claim_second_bias, h, HIDDEN, HIDDEN, g);
  apply(network, hand, g, depths);
}

void refined_logits(const Frame& frame, int number, const float* points, int count, float* out, Scratch& scratch,
                    Detail detail) {
  const Network& network = *frame.network;
  const Hand &hand = frame.hands[number], &other = frame.partner(number);
  initial_logits(network, hand, points, count, out, scratch, detail);
  bool corrected = detail == Detail::FULL;
  if (corrected && hand.share > 0) {  // else nothing would be added
    int listed = 0;
    for (int i = 0; i < count; ++i)
      if (std::fabs(out[i]) < network.band) scratch.chosen[listed++] = i;
    correct_listed(network, hand, points, scratch.chosen.data(), listed, out);
  }
  if (!frame.accompanied()) return;
  const int* chosen = scratch.chosen.data();
  int disputed = disputable(network, hand, points, count, out, scratch.chosen.data());
  if (!disputed) return;
  float* theirs = scratch.other_points.data();
  for (int j = 0; j < disputed; ++j)
    for (int axis = 0; axis < 3; ++axis) {
      const float *row = hand.other_palm + 4 * axis, *p = points + 3 * chosen[j];
      theirs[3 * j + axis] = row[0] * p[0] + row[1] * p[1] + row[2] * p[2] + row[3];
    }
  float* claimed = scratch.other.data();
  initial_logits(network, other, theirs, disputed, claimed, scratch, detail);
  if (corrected && other.share > 0) {
    int listed = 0;  // a claim that could not reach what is left of the own one is not worked out
    for (int j = 0; j < disputed; ++j)
      if (claimed[j] + network.largest > -out[chosen[j]] - 2 * network.gap && std::fabs(claimed[j]) < network.band)
        scratch.again[listed++] = j;
    correct_listed(network, other, theirs, scratch.again.data(), listed, claimed);
  }
  for (int j = 0; j < disputed; ++j) {
    float& own = out[chosen[j]];
    own = std::min(own, (own - claimed[j]) / 2 - network.gap);
  }
}

}  // namespace im2hands
