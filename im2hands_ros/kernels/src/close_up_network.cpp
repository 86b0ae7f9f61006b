#include <cmath>
#include <cstddef>
#include <cstring>

#include "close_ups.h"
#include "joint_geometry.h"
#include "pool.h"
#include "reader.h"

namespace im2hands {
namespace {

constexpr int CELL_COUNT = CELLS * CELLS, FIRST_COUNT = FIRST_SIDE * FIRST_SIDE, FLAT = CELL_COUNT * SECOND;
constexpr int FIRST_INPUTS = 5 * 5 * 3, SECOND_INPUTS = 9 * FIRST + 9 * BONE_MAPS, MORE_INPUTS = 9 * SECOND;
// Rows of a convolution's inputs [side][side][kernel][kernel][channels] of a map with `pitch` floats a pixel, zeros outside.
void gather(const float* map, int side, int channels, int pitch, int kernel, int stride, float* to, int to_pitch) {
  int reach = kernel / 2;
  for (int y = 0; y < side; y += stride)
    for (int x = 0; x < side; x += stride, to += to_pitch) {
      float* into = to;
      for (int v = y - reach; v <= y + reach; ++v)
        for (int u = x - reach; u <= x + reach; ++u, into += channels) {
          bool inside = v >= 0 && u >= 0 && v < side && u < side;
          if (inside) std::memcpy(into, map + (static_cast<std::ptrdiff_t>(v) * side + u) * pitch, channels * sizeof(float));
          else std::memset(into, 0, channels * sizeof(float));
        }
    }
}

void cut_negative(float* values, int count) {
  for (int i = 0; i < count; ++i) values[i] = std::max(values[i], 0.0f);
}

float limited(float value) { return std::min(std::max(value, -6.0f), 6.0f); }

// What a round is shown of one joint, [CLOSE_INPUTS] and [OF_WHOLE_HAND]: its geometry, how far it is from where the tracker has
// it, `back`, and from the middle of its close-up, `moved`, and how far off it is in the close-up, `offset`.
void describe(const float* geometry, const float* axes, const float* back, const float* moved, const float* offset, float* to,
              float* whole) {
  float beside[2], off[2];
  for (int i = 0; i < 2; ++i) {
    beside[i] = back[0] * axes[2 * i] + back[1] * axes[2 * i + 1];
    off[i] = offset[i] + moved[0] * axes[2 * i] + moved[1] * axes[2 * i + 1];
  }
  const float across[3] = {off[0] * axes[0] + off[1] * axes[2], off[0] * axes[1] + off[1] * axes[3], 0};
  std::memcpy(to, geometry, 14 * sizeof(float));
  to[14] = to[15] = 0, to[16] = geometry[16], to[17] = 0;
  std::memcpy(to + 18, back, 3 * sizeof(float));
  std::memcpy(to + 21, beside, sizeof beside);
  std::memcpy(to + 23, axes, 4 * sizeof(float));
  std::memcpy(to + 27, off, sizeof off);
  to[29] = offset[2];
  std::memcpy(to + 30, across, sizeof across);
  std::memcpy(whole, geometry, OF_HAND * sizeof(float));
  std::memcpy(whole + 6, back, 3 * sizeof(float));
  std::memcpy(whole + 9, across, sizeof across);
}

// Adds to the joints' tokens what they are shown.
void add_inputs(const JointRound& round, const CloseFrames& frames, const SeenClose& seen, const float* given,
                const JointPair& begin, const JointPair& hands, const float* palms, float* tokens) {
  constexpr float SAME[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  alignas(64) float geometry[BOTH * GEOMETRY], inputs[BOTH * CLOSE_INPUTS], of_hand[BOTH * OF_WHOLE_HAND];
  geometry_of(hands, palms, SAME, geometry);
  for (int joint = 0; joint < BOTH; ++joint) {
    float back[3], moved[3];
    for (int i = 0; i < 3; ++i) {
      back[i] = limited((given[3 * joint + i] - hands.joints[joint][i]) / STEP_UNIT);
      moved[i] = limited((begin.joints[joint][i] - hands.joints[joint][i]) / STEP_UNIT);
    }
    describe(geometry + joint * GEOMETRY, frames.axes + 4 * joint, back, moved, seen.offsets + joint * HEADS_WIDTH,
             inputs + joint * CLOSE_INPUTS, of_hand + joint * OF_WHOLE_HAND);
  }
  round.add_inputs(of_hand, inputs, seen.features.data(), tokens);
}

void move(const JointRound& round, const CloseFrames& frames, const float* tokens, const float* palms, JointPair& hands) {
  alignas(64) float steps[BOTH * HEADS_WIDTH];
  round.steps(tokens, steps);
  for (int joint = 0; joint < BOTH; ++joint) {
    const float *step = steps + joint * HEADS_WIDTH, *axes = frames.axes + 4 * joint;
    float by[3];
    step_in_camera(step, palms + 9 * (joint / JOINTS), by);
    for (int i = 0; i < 2; ++i) by[i] += step[6] * axes[i] + step[7] * axes[2 + i];
    for (int i = 0; i < 3; ++i) hands.joints[joint][i] += by[i] * STEP_UNIT;
  }
}

}  // namespace

bool CloseUpNetwork::read() {
  Reader from(block);
  first_.read(from, FIRST_INPUTS, FIRST);
  second_.read(from, SECOND_INPUTS, SECOND);
  from.take(who_, JOINTS * SECOND);
  for (RowLayer& each : more_) each.read(from, MORE_INPUTS, SECOND);
  flat_.read(from, FLAT, TOKEN_WIDTH);
  offset_.read(from, TOKEN_WIDTH, HEADS_WIDTH);
  from.take(identity_, BOTH * TOKEN_WIDTH);
  spread_.read(from, TOKEN_WIDTH, HEADS_WIDTH);
  for (JointRound& round : rounds_)
    if (!round.read(from, CLOSE_INPUTS, OF_WHOLE_HAND, TOKEN_WIDTH)) return false;
  return from.exact();
}

// One close-up's convolutions: [6][6][64].
void CloseUpNetwork::encode(const float* colours, const float* bones, int joint, float* flat) const {
  std::vector<float> inputs(static_cast<size_t>(CELL_COUNT) * MORE_INPUTS), first(FIRST_COUNT * FIRST);
  static_assert(FIRST_COUNT * FIRST_INPUTS <= CELL_COUNT * MORE_INPUTS && SECOND_INPUTS <= MORE_INPUTS, "room for all");
  gather(colours, CLOSE_SIDE, 3, 3, 5, 2, inputs.data(), FIRST_INPUTS);
  first_.run_relu(inputs.data(), FIRST_COUNT, first.data());
  gather(first.data(), FIRST_SIDE, FIRST, FIRST, 3, 2, inputs.data(), SECOND_INPUTS);
  gather(bones, CELLS, BONE_MAPS, BONE_MAPS, 3, 1, inputs.data() + 9 * FIRST, SECOND_INPUTS);
  for (int cell = 0; cell < CELL_COUNT; ++cell) std::memcpy(flat + cell * SECOND, who_ + joint * SECOND, SECOND * sizeof(float));
  second_.add(inputs.data(), CELL_COUNT, flat);
  cut_negative(flat, FLAT);
  for (const RowLayer& each : more_) {
    gather(flat, CELLS, SECOND, SECOND, 3, 1, inputs.data(), MORE_INPUTS);
    each.add(inputs.data(), CELL_COUNT, flat);
    cut_negative(flat, FLAT);
  }
}

SeenClose CloseUpNetwork::see(const CloseFrames& frames, const JointPair& hands) const {
  constexpr int AREA = CLOSE_SIDE * CLOSE_SIDE * 3, MAPS = CELL_COUNT * BONE_MAPS;
  std::vector<float> colours(BOTH * AREA), bones(BOTH * MAPS), flat(static_cast<size_t>(BOTH) * FLAT);
  sample_close_ups(frames, colours.data());
  draw_bones(frames, hands, bones.data());
  in_parallel(BOTH, [&](int joint) {
    encode(colours.data() + joint * AREA, bones.data() + joint * MAPS, joint % JOINTS, flat.data() + joint * FLAT);
  });
  SeenClose seen;
  seen.features.resize(BOTH * TOKEN_WIDTH);
  flat_.run_relu(flat.data(), BOTH, seen.features.data());
  offset_.run(seen.features.data(), BOTH, seen.offsets);
  return seen;
}

void CloseUpNetwork::run(const CloseFrames& frames, const float* given, JointPair& hands, float* spread) const {
  std::vector<float> tokens(identity_, identity_ + BOTH * TOKEN_WIDTH);
  const JointPair begin = hands;
  const SeenClose seen = see(frames, hands);
  uint8_t mask[BOTH];
  for (int joint = 0; joint < BOTH; ++joint) mask[joint] = hands.present[joint / JOINTS];
  for (const JointRound& round : rounds_) {
    float palms[18];
    palms_of(hands, palms);
    add_inputs(round, frames, seen, given, begin, hands, palms, tokens.data());
    round.blocks.run(tokens.data(), BOTH, mask);
    move(round, frames, tokens.data(), palms, hands);
  }
  alignas(64) float heads[BOTH * HEADS_WIDTH];
  spread_.run(tokens.data(), BOTH, heads);
  for (int joint = 0; joint < BOTH; ++joint) spread[joint] = soft_plus(heads[joint * HEADS_WIDTH]) * STEP_UNIT;
}

}  // namespace im2hands
