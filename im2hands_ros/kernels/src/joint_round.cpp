#include "joint_round.h"

#include <cmath>
#include <cstddef>

namespace im2hands {
namespace {

constexpr int ATTENTION_BLOCKS = 2, ATTENTION_HEADS = 4;
constexpr size_t BLOCK_SIZE = ATTENTION_BLOCKS * (size_t(TOKEN_WIDTH) * 6 * TOKEN_WIDTH + 6 * TOKEN_WIDTH);

// [42][128] of mean zero and variance one.
void normalise(const float* tokens, float* to) {
  for (int joint = 0; joint < BOTH; ++joint, tokens += TOKEN_WIDTH, to += TOKEN_WIDTH) {
    float mean = 0, square = 0;
    for (int i = 0; i < TOKEN_WIDTH; ++i) mean += tokens[i] / TOKEN_WIDTH;
    for (int i = 0; i < TOKEN_WIDTH; ++i) square += (tokens[i] - mean) * (tokens[i] - mean) / TOKEN_WIDTH;
    float scale = 1 / std::sqrt(square + 1e-5f);
    for (int i = 0; i < TOKEN_WIDTH; ++i) to[i] = (tokens[i] - mean) * scale;
  }
}

}  // namespace

bool JointRound::read(Reader& from, int of_joint, int of_hand, int looked) {
  place_first_.read(from, of_joint, TOKEN_WIDTH);
  place_second_.read(from, TOKEN_WIDTH, TOKEN_WIDTH);
  look_.read(from, looked, TOKEN_WIDTH);
  hand_first_.read(from, JOINTS * of_hand, HAND_WIDTH);
  hand_second_.read(from, HAND_WIDTH, HAND_WIDTH);
  hand_third_.read(from, HAND_WIDTH, JOINTS * TOKEN_WIDTH);
  step_.read(from, TOKEN_WIDTH, HEADS_WIDTH);
  const float* weights;
  from.take(weights, BLOCK_SIZE);
  if (from.is_short()) return false;
  blocks.width = TOKEN_WIDTH, blocks.heads = ATTENTION_HEADS;
  blocks.block.assign(weights, weights + BLOCK_SIZE);
  return blocks.read(ATTENTION_BLOCKS);
}

void JointRound::add_inputs(const float* of_hand, const float* of_joint, const float* looked, float* tokens) const {
  alignas(64) float first[2 * HAND_WIDTH], second[2 * HAND_WIDTH], hidden[BOTH * TOKEN_WIDTH];
  hand_first_.run_relu(of_hand, 2, first);
  hand_second_.run_relu(first, 2, second);
  hand_third_.add(second, 2, tokens);
  place_first_.run_relu(of_joint, BOTH, hidden);
  place_second_.add(hidden, BOTH, tokens);
  look_.add(looked, BOTH, tokens);
}

void JointRound::steps(const float* tokens, float* to) const {
  alignas(64) float normal[BOTH * TOKEN_WIDTH];
  normalise(tokens, normal);
  step_.run(normal, BOTH, to);
}

void step_in_camera(const float* step, const float* palm, float* to) {
  for (int i = 0; i < 3; ++i)
    to[i] = step[0] * palm[3 * i] + step[1] * palm[3 * i + 1] + step[2] * palm[3 * i + 2] + step[3 + i];
}

}  // namespace im2hands
