#include <cmath>
#include <cstddef>
#include <cstring>

#include "close_ups.h"
#include "joint_geometry.h"
#include "pool.h"
#include "reader.h"
#include "rows.h"

namespace im2hands {
namespace {

constexpr int CELL_COUNT = CELLS * CELLS, FIRST_COUNT = FIRST_SIDE * FIRST_SIDE, FLAT = CELL_COUNT * SECOND;
constexpr int FIRST_INPUTS = 5 * 5 * 3, SECOND_INPUTS = 9 * FIRST + 9 * BONE_MAPS, MORE_INPUTS = 9 * SECOND;
constexpr int ATTENTION_HEADS = 4, ATTENTION_BLOCKS = 2;
constexpr size_t BLOCK_SIZE = ATTENTION_BLOCKS * (size_t(TOKEN_WIDTH) * 6 * TOKEN_WIDTH + 6 * TOKEN_WIDTH);

Rows rows(float* at, int count, int width) { return {at, count, width}; }
Rows rows(const float* at, int count, int width) { return {const_cast<float*>(at), count, width}; }

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

}  // namespace

bool CloseUpNetwork::read() {
  Reader from(block);
  from.layer(first_, first_bias_, FIRST_INPUTS, FIRST);
  from.layer(second_, second_bias_, SECOND_INPUTS, SECOND);
  from.take(who_, JOINTS * SECOND);
  for (int i = 0; i < MORE; ++i) from.layer(more_[i], more_bias_[i], MORE_INPUTS, SECOND);
  from.layer(flat_, flat_bias_, FLAT, TOKEN_WIDTH);
  from.layer(offset_, offset_bias_, TOKEN_WIDTH, HEADS_WIDTH);
  from.take(identity_, BOTH * TOKEN_WIDTH);
  from.layer(spread_, spread_bias_, TOKEN_WIDTH, HEADS_WIDTH);
  for (Round& round : rounds_) {
    from.layer(round.place_first, round.place_first_bias, CLOSE_INPUTS, TOKEN_WIDTH);
    from.layer(round.place_second, round.place_second_bias, TOKEN_WIDTH, TOKEN_WIDTH);
    from.layer(round.look, round.look_bias, TOKEN_WIDTH, TOKEN_WIDTH);
    from.layer(round.hand_first, round.hand_first_bias, JOINTS * OF_WHOLE_HAND, HAND_WIDTH);
    from.layer(round.hand_second, round.hand_second_bias, HAND_WIDTH, HAND_WIDTH);
    from.layer(round.hand_third, round.hand_third_bias, HAND_WIDTH, JOINTS * TOKEN_WIDTH);
    from.layer(round.step, round.step_bias, TOKEN_WIDTH, HEADS_WIDTH);
    const float* blocks;
    from.take(blocks, BLOCK_SIZE);
    if (from.is_short()) return false;
    round.blocks.width = TOKEN_WIDTH, round.blocks.heads = ATTENTION_HEADS;
    round.blocks.block.assign(blocks, blocks + BLOCK_SIZE);
    if (!round.blocks.read(ATTENTION_BLOCKS)) return false;
  }
  return from.exact();
}

// One close-up's convolutions: [6][6][64].
void CloseUpNetwork::encode(const float* colours, const float* bones, int joint, float* flat) const {
  std::vector<float> inputs(static_cast<size_t>(CELL_COUNT) * MORE_INPUTS), first(FIRST_COUNT * FIRST);
  static_assert(FIRST_COUNT * FIRST_INPUTS <= CELL_COUNT * MORE_INPUTS && SECOND_INPUTS <= MORE_INPUTS, "room for all");
  gather(colours, CLOSE_SIDE, 3, 3, 5, 2, inputs.data(), FIRST_INPUTS);
  linear(first_, first_bias_, rows(inputs.data(), FIRST_COUNT, FIRST_INPUTS), FIRST_INPUTS, FIRST, true, false,
         rows(first.data(), FIRST_COUNT, FIRST));
  gather(first.data(), FIRST_SIDE, FIRST, FIRST, 3, 2, inputs.data(), SECOND_INPUTS);
  gather(bones, CELLS, BONE_MAPS, BONE_MAPS, 3, 1, inputs.data() + 9 * FIRST, SECOND_INPUTS);
  for (int cell = 0; cell < CELL_COUNT; ++cell) std::memcpy(flat + cell * SECOND, who_ + joint * SECOND, SECOND * sizeof(float));
  linear(second_, second_bias_, rows(inputs.data(), CELL_COUNT, SECOND_INPUTS), SECOND_INPUTS, SECOND, false, true,
         rows(flat, CELL_COUNT, SECOND));
  cut_negative(flat, FLAT);
  for (int i = 0; i < MORE; ++i) {
    gather(flat, CELLS, SECOND, SECOND, 3, 1, inputs.data(), MORE_INPUTS);
    linear(more_[i], more_bias_[i], rows(inputs.data(), CELL_COUNT, MORE_INPUTS), MORE_INPUTS, SECOND, false, true,
           rows(flat, CELL_COUNT, SECOND));
    cut_negative(flat, FLAT);
  }
}

CloseUpNetwork::Seen CloseUpNetwork::see(const CloseFrames& frames, const JointPair& hands) const {
  constexpr int AREA = CLOSE_SIDE * CLOSE_SIDE * 3, MAPS = CELL_COUNT * BONE_MAPS;
  std::vector<float> colours(BOTH * AREA), bones(BOTH * MAPS), flat(static_cast<size_t>(BOTH) * FLAT);
  sample_close_ups(frames, colours.data());
  draw_bones(frames, hands, bones.data());
  in_parallel(BOTH, [&](int joint) {
    encode(colours.data() + joint * AREA, bones.data() + joint * MAPS, joint % JOINTS, flat.data() + joint * FLAT);
  });
  Seen seen;
  seen.features.resize(BOTH * TOKEN_WIDTH);
  linear(flat_, flat_bias_, rows(flat.data(), BOTH, FLAT), FLAT, TOKEN_WIDTH, true, false,
         rows(seen.features.data(), BOTH, TOKEN_WIDTH));
  linear(offset_, offset_bias_, rows(seen.features.data(), BOTH, TOKEN_WIDTH), TOKEN_WIDTH, HEADS_WIDTH, false, false,
         rows(seen.offsets, BOTH, HEADS_WIDTH));
  return seen;
}

// Adds to the joints' tokens what they are shown.
void CloseUpNetwork::add_inputs(const Round& round, const CloseFrames& frames, const Seen& seen, const float* given,
                                const JointPair& begin, const JointPair& hands, const float* palms, float* tokens) const {
  constexpr float SAME[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  alignas(64) float geometry[BOTH * GEOMETRY], inputs[BOTH * CLOSE_INPUTS], of_hand[BOTH * OF_WHOLE_HAND];
  geometry_of(hands, palms, SAME, geometry);
  for (int joint = 0; joint < BOTH; ++joint) {
    const float *axes = frames.axes + 4 * joint, *own = geometry + joint * GEOMETRY, *offset = seen.offsets + joint * HEADS_WIDTH;
    float back[3], moved[3], beside[2], off[2];
    for (int i = 0; i < 3; ++i) {
      back[i] = limited((given[3 * joint + i] - hands.joints[joint][i]) / STEP_UNIT);
      moved[i] = limited((begin.joints[joint][i] - hands.joints[joint][i]) / STEP_UNIT);
    }
    for (int i = 0; i < 2; ++i) {
      beside[i] = back[0] * axes[2 * i] + back[1] * axes[2 * i + 1];
      off[i] = offset[i] + moved[0] * axes[2 * i] + moved[1] * axes[2 * i + 1];
    }
    const float across[3] = {off[0] * axes[0] + off[1] * axes[2], off[0] * axes[1] + off[1] * axes[3], 0};
    float* to = inputs + joint * CLOSE_INPUTS;
    std::memcpy(to, own, 14 * sizeof(float));
    to[14] = to[15] = 0, to[16] = own[16], to[17] = 0;
    std::memcpy(to + 18, back, sizeof back);
    std::memcpy(to + 21, beside, sizeof beside);
    std::memcpy(to + 23, axes, 4 * sizeof(float));
    std::memcpy(to + 27, off, sizeof off);
    to[29] = offset[2];
    std::memcpy(to + 30, across, sizeof across);
    float* whole = of_hand + joint * OF_WHOLE_HAND;
    std::memcpy(whole, own, OF_HAND * sizeof(float));
    std::memcpy(whole + 6, back, sizeof back);
    std::memcpy(whole + 9, across, sizeof across);
  }
  alignas(64) float first[2 * HAND_WIDTH], second[2 * HAND_WIDTH], hidden[BOTH * TOKEN_WIDTH];
  constexpr int TOGETHER = JOINTS * OF_WHOLE_HAND;
  linear(round.hand_first, round.hand_first_bias, rows(of_hand, 2, TOGETHER), TOGETHER, HAND_WIDTH, true, false,
         rows(first, 2, HAND_WIDTH));
  linear(round.hand_second, round.hand_second_bias, rows(first, 2, HAND_WIDTH), HAND_WIDTH, HAND_WIDTH, true, false,
         rows(second, 2, HAND_WIDTH));
  linear(round.hand_third, round.hand_third_bias, rows(second, 2, HAND_WIDTH), HAND_WIDTH, JOINTS * TOKEN_WIDTH, false, true,
         rows(tokens, 2, JOINTS * TOKEN_WIDTH));
  linear(round.place_first, round.place_first_bias, rows(inputs, BOTH, CLOSE_INPUTS), CLOSE_INPUTS, TOKEN_WIDTH, true, false,
         rows(hidden, BOTH, TOKEN_WIDTH));
  linear(round.place_second, round.place_second_bias, rows(hidden, BOTH, TOKEN_WIDTH), TOKEN_WIDTH, TOKEN_WIDTH, false, true,
         rows(tokens, BOTH, TOKEN_WIDTH));
  linear(round.look, round.look_bias, rows(seen.features.data(), BOTH, TOKEN_WIDTH), TOKEN_WIDTH, TOKEN_WIDTH, false, true,
         rows(tokens, BOTH, TOKEN_WIDTH));
}

void CloseUpNetwork::move(const Round& round, const CloseFrames& frames, const float* tokens, const float* palms,
                          JointPair& hands) const {
  alignas(64) float normal[BOTH * TOKEN_WIDTH], step[BOTH * HEADS_WIDTH];
  normalised_tokens(tokens, normal);
  linear(round.step, round.step_bias, rows(normal, BOTH, TOKEN_WIDTH), TOKEN_WIDTH, HEADS_WIDTH, false, false,
         rows(step, BOTH, HEADS_WIDTH));
  for (int joint = 0; joint < BOTH; ++joint) {
    const float *by = step + joint * HEADS_WIDTH, *palm = palms + 9 * (joint / JOINTS), *axes = frames.axes + 4 * joint;
    for (int i = 0; i < 3; ++i) {
      float turned = by[0] * palm[3 * i] + by[1] * palm[3 * i + 1] + by[2] * palm[3 * i + 2] + by[3 + i];
      if (i < 2) turned += by[6] * axes[i] + by[7] * axes[2 + i];
      hands.joints[joint][i] += turned * STEP_UNIT;
    }
  }
}

void CloseUpNetwork::run(const CloseFrames& frames, const float* given, JointPair& hands, float* spread) const {
  std::vector<float> tokens(identity_, identity_ + BOTH * TOKEN_WIDTH);
  const JointPair begin = hands;
  const Seen seen = see(frames, hands);
  uint8_t mask[BOTH];
  for (int joint = 0; joint < BOTH; ++joint) mask[joint] = hands.present[joint / JOINTS];
  for (const Round& round : rounds_) {
    float palms[18];
    for (int hand = 0; hand < 2; ++hand) palm_axes(hands.joints + hand * JOINTS, hand == 0, palms + 9 * hand);
    add_inputs(round, frames, seen, given, begin, hands, palms, tokens.data());
    round.blocks.run(tokens.data(), BOTH, mask);
    move(round, frames, tokens.data(), palms, hands);
  }
  alignas(64) float heads[BOTH * HEADS_WIDTH];
  linear(spread_, spread_bias_, rows(tokens.data(), BOTH, TOKEN_WIDTH), TOKEN_WIDTH, HEADS_WIDTH, false, false,
         rows(heads, BOTH, HEADS_WIDTH));
  for (int joint = 0; joint < BOTH; ++joint) spread[joint] = soft_plus(heads[joint * HEADS_WIDTH]) * STEP_UNIT;
}

}  // namespace im2hands
