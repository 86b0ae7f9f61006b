// Depth in a hand: the bones nearest to a point, a small network for each, and their union.
#include "field.h"

namespace im2hands {
namespace {

constexpr float PER_LENGTH = 50.0f;        // coordinates are in units of 2 cm
constexpr float PER_METRE = 1000.0f;       // depths are in millimetres
constexpr float ON_AXIS = 0.1f;            // metres that a bone is nearer to points within its floor

// The SHOWN nearest bones of a tile by their capsules: [SHOWN][TILE], nearest first.
template <int SHOWN>
void nearest(const Network& network, const Hand& hand, const float* points, uint8_t* bones, int stride) {
  for (int p = 0; p < TILE; p += LANES) {
    Floats x = load(points + p), y = load(points + TILE + p), z = load(points + 2 * TILE + p);
    Floats best[SHOWN];
    Ints which[SHOWN];
    for (int k = 0; k < SHOWN; ++k) best[k] = all(-1e9f), which[k] = Ints{};
    for (int bone = 0; bone < BONES; ++bone) {
      const float *axis = hand.axis + 4 * bone, *start = hand.start + 3 * bone;
      Floats reached = axis[0] * x + axis[1] * y + axis[2] * z + axis[3];
      Floats dx = x - start[0], dy = y - start[1], dz = z - start[2];
      Floats along = within(reached, 0.0f, hand.length[bone]);
      Floats square = dx * dx + dy * dy + dz * dz + along * (along - 2.0f * reached);
      Floats distance = root(larger(square, Floats{}));
      // A thin bone in the midst of thick ones counts where it is the least that there is.
      Floats depth = network.radius[bone] - distance + (distance < hand.floor[2 * bone] ? all(ON_AXIS) : Floats{});
      Ints number = Ints{} + bone;
      for (int k = 0; k < SHOWN; ++k) {
        Ints deeper = depth > best[k];
        Floats pushed = best[k];
        Ints pushed_bone = which[k];
        best[k] = deeper ? depth : pushed;
        which[k] = deeper ? number : pushed_bone;
        depth = deeper ? pushed : depth;
        number = deeper ? pushed_bone : number;
      }
    }
    for (int k = 0; k < SHOWN; ++k)
      for (int l = 0; l < LANES; ++l) bones[k * stride + p + l] = static_cast<uint8_t>(which[k][l]);
  }
}

// Inputs [COORDINATES][TILE] of a bone's network, and the distance from the bone (metres) [TILE].
void coordinates(const Network& network, const Hand& hand, int bone, const float* points, float* x, float* distance) {
  const float *frame = hand.frame + 12 * bone, *axis = hand.axis + 4 * bone, *direction = hand.direction + 3 * bone;
  float length = hand.length[bone];
  for (int p = 0; p < TILE; p += LANES) {
    Floats px = load(points + p), py = load(points + TILE + p), pz = load(points + 2 * TILE + p);
    Floats along = within(axis[0] * px + axis[1] * py + axis[2] * pz + axis[3], 0.0f, length);
    Floats square = all(1e-12f);
    for (int i = 0; i < 3; ++i) {
      Floats local = frame[3 * i] * px + frame[3 * i + 1] * py + frame[3 * i + 2] * pz + frame[9 + i];
      Floats off = local - along * direction[i];
      square += off * off;
      Floats scaled = local * PER_LENGTH, sine, cosine;
      sine_cosine(scaled * network.frequency, sine, cosine);
      store(x + i * TILE + p, scaled);
      store(x + (5 + i) * TILE + p, sine);
      store(x + (8 + i) * TILE + p, cosine);
    }
    Floats from_bone = root(square);
    store(distance + p, from_bone);
    store(x + 3 * TILE + p, from_bone * PER_LENGTH);
    store(x + 4 * TILE + p, along / (length > 1e-4f ? length : 1e-4f));
  }
}

// Depth [TILE] in one bone of points [3][TILE] with image codes; null: without the image.
void bone_depth(const Network& network, const Hand& hand, int bone, const float* points, const float* const* codes,
                float* depth) {
  alignas(64) float x[COORDINATES * TILE], a[2 * WIDTH * TILE], b[WIDTH * TILE], distance[TILE];
  coordinates(network, hand, bone, points, x, distance);
  constexpr int SQUARE = WIDTH * WIDTH;
  layer<After::LEAKY>(network.bone_first + bone * COORDINATES * WIDTH, hand.first_bias + WIDTH * bone, x, COORDINATES,
                      WIDTH, b);
  layer<After::LEAKY>(network.bone_second + bone * SQUARE, hand.second_bias + WIDTH * bone, b, WIDTH, WIDTH, a);
  if (codes) to_tile(codes, WIDTH, a + WIDTH * TILE);
  layer<After::LEAKY>(network.bone_third + bone * 2 * SQUARE, network.bone_third_bias + WIDTH * bone, a,
                      codes ? 2 * WIDTH : WIDTH, WIDTH, b);
  layer<After::LEAKY>(network.bone_fourth + bone * SQUARE, network.bone_fourth_bias + WIDTH * bone, b, WIDTH, WIDTH, a);
  const float* last = network.bone_last + WIDTH * bone;
  float floor = hand.floor[2 * bone], taper = hand.floor[2 * bone + 1] - floor;
  for (int p = 0; p < TILE; p += LANES) {
    Floats from_bone = load(distance + p), share = load(x + 4 * TILE + p);
    Floats sum = (network.radius[bone] - from_bone) * PER_METRE;
    for (int c = 0; c < WIDTH; ++c) sum += last[c] * load(a + c * TILE + p);
    store(depth + p, larger(sum, (floor + taper * share - from_bone) * PER_METRE));
  }
}

// (point, nth) pairs sorted by bone: begin[bone] to begin[bone + 1] of scratch.pairs.
template <int SHOWN>
void sort_by_bone(int count, int stride, Scratch& scratch, int* begin) {
  int counts[BONES] = {}, next[BONES];
  for (int k = 0; k < SHOWN; ++k)
    for (int i = 0; i < count; ++i) ++counts[scratch.bones[k * stride + i]];
  begin[0] = 0;
  for (int bone = 0; bone < BONES; ++bone) {
    next[bone] = begin[bone];
    begin[bone + 1] = begin[bone] + counts[bone];
  }
  for (int k = 0; k < SHOWN; ++k)
    for (int i = 0; i < count; ++i) scratch.pairs[next[scratch.bones[k * stride + i]]++] = k * stride + i;
}

// The union of depths [SHOWN][stride]: log of the sum of exponentials.
template <int SHOWN>
void unite(const float* depths, int count, int stride, float* out) {
  for (int from = 0; from < count; from += LANES) {
    Floats depth[SHOWN], most = load(depths + from), sum = {};
    for (int k = 0; k < SHOWN; ++k) {
      depth[k] = load(depths + k * stride + from);
      most = larger(most, depth[k]);
    }
    for (int k = 0; k < SHOWN; ++k) sum += exponential(depth[k] - most);
    Floats total = most + logarithm(sum);
    for (int l = 0; l < LANES && from + l < count; ++l) out[from + l] = total[l];
  }
}

// The union of SHOWN bones, with the image or without; point i is shown the image of point i % imaged.
template <int SHOWN, bool IMAGE>
void united_depths(const Network& network, const Hand& hand, const float* points, int count, int imaged, float* out,
                   Scratch& scratch) {
  alignas(64) float tile[3 * TILE], depth[TILE];
  constexpr int STRIDE = CHUNK + TILE;
  for (int from = 0; from < count; from += TILE) {
    gather(points, nullptr, from, count, tile);
    nearest<SHOWN>(network, hand, tile, scratch.bones.data() + from, STRIDE);
    if (IMAGE && from < imaged) image_codes(network, hand, tile, scratch.codes.data() + from * WIDTH);
  }
  int begin[BONES + 1], index[TILE];
  sort_by_bone<SHOWN>(count, STRIDE, scratch, begin);
  const float* codes[TILE];
  for (int bone = 0; bone < BONES; ++bone)
    for (int from = begin[bone], end = begin[bone + 1]; from < end; from += TILE) {
      const int* pairs = scratch.pairs.data();
      for (int l = 0; l < TILE; ++l) {
        index[l] = pairs[from + l < end ? from + l : end - 1] % STRIDE;
        codes[l] = scratch.codes.data() + index[l] % imaged * WIDTH;
      }
      gather(points, index, 0, TILE, tile);
      bone_depth(network, hand, bone, tile, IMAGE ? codes : nullptr, depth);
      for (int l = 0; l < TILE && from + l < end; ++l) scratch.depths[pairs[from + l]] = depth[l];
    }
  unite<SHOWN>(scratch.depths.data(), count, STRIDE, out);
}

}  // namespace

void initial_logits(const Network& network, const Hand& hand, const float* points, int count, float* out,
                    Scratch& scratch, Detail detail) {
  if (detail == Detail::FULL)
    united_depths<NEAREST, true>(network, hand, points, count, count, out, scratch);
  else
    united_depths<NEAREST_ROUGH, false>(network, hand, points, count, count, out, scratch);
}

void logits_around(const Network& network, const Hand& hand, const float* points, int count, float step, float* out,
                   Scratch& scratch) {
  std::vector<float>& moved = scratch.other_points;
  float* found = scratch.other.data();
  for (int place = 0; place < 4; ++place)
    for (int i = 0; i < 3 * count; ++i)
      moved[3 * place * count + i] = points[i] + (place && i % 3 == place - 1 ? step : 0.0f);
  united_depths<NEAREST, true>(network, hand, moved.data(), 4 * count, count, found, scratch);
  for (int i = 0; i < count; ++i)
    for (int place = 0; place < 4; ++place) out[4 * i + place] = found[place * count + i];
}

}  // namespace im2hands
