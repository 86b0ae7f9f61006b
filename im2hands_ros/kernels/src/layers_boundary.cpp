// The C interface of the image encoder, the keypoint refinement and blocks of self-attention.
#include <cstring>
#include <memory>

#include "blocks.h"
#include "boundary.h"
#include "encoder.h"
#include "kernels.h"
#include "keypoints.h"

using namespace im2hands;

struct im2hands_blocks : Blocks {};
struct im2hands_keypoints : KeypointNetwork {};
struct im2hands_encoder : Encoder {
  using Encoder::Encoder;
  int side;
};

im2hands_blocks* im2hands_blocks_new(const float* block, int64_t count, int blocks, int width, int heads) {
  im2hands_blocks* none = nullptr;
  if (width < 4 || width > MOST_CHANNELS || width % 4 || heads < 1 || width % heads || blocks < 1 || blocks > 64)
    return refuse("%d blocks of width %d and %d heads", blocks, width, heads), none;
  if (!block || count < 1 || count > MOST) return refuse("%lld weights", (long long)count), none;
  if (!finite(block, count)) return refuse("a weight is not finite"), none;
  return guarded(none, [&]() -> im2hands_blocks* {
    auto made = std::make_unique<im2hands_blocks>();
    made->width = width, made->heads = heads;
    made->block = copied(block, count);
    if (!made->read(blocks)) return refuse("%lld weights are not those of %d blocks", (long long)count, blocks), nullptr;
    return made.release();
  });
}

void im2hands_blocks_free(im2hands_blocks* blocks) { delete blocks; }

int im2hands_blocks_run(const im2hands_blocks* blocks, float* tokens, int sequences, int count, const uint8_t* mask) {
  if (!blocks || !tokens) return refuse("the blocks or the tokens are null");
  if (sequences < 0 || sequences > 4096 || count < 1 || count > MOST_SEQUENCE)
    return refuse("%d sequences of %d tokens: use 1 to %d tokens", sequences, count, MOST_SEQUENCE);
  int64_t size = int64_t(count) * blocks->width;
  if (!finite(tokens, sequences * size)) return refuse("a token is not finite");
  for (int s = 0; mask && s < sequences; ++s) {
    int attended = 0;
    for (int t = 0; t < count; ++t) attended += mask[int64_t(s) * count + t] != 0;
    if (!attended) return refuse("all tokens of a sequence are masked");
  }
  return guarded(-1, [&] {
    for (int s = 0; s < sequences; ++s) blocks->run(tokens + s * size, count, mask ? mask + int64_t(s) * count : nullptr);
    return 0;
  });
}

im2hands_encoder* im2hands_encoder_new(const float* block, int64_t count, int side) {
  im2hands_encoder* none = nullptr;
  if (side < Encoder::LEAST_SIDE || side > 1536 || side % Encoder::LEAST_SIDE)
    return refuse("images of %d pixels a side: use a multiple of %d up to 1536", side, Encoder::LEAST_SIDE), none;
  if (!block || count < 1 || count > MOST) return refuse("%lld weights", (long long)count), none;
  if (!finite(block, count)) return refuse("a weight is not finite"), none;
  return guarded(none, [&]() -> im2hands_encoder* {
    auto encoder = std::make_unique<im2hands_encoder>(side);
    encoder->side = side;
    if (!encoder->read(copied(block, count)))
      return refuse("%lld weights are not those of an encoder", (long long)count), nullptr;
    return encoder.release();
  });
}

void im2hands_encoder_free(im2hands_encoder* encoder) { delete encoder; }

int im2hands_encoder_run(im2hands_encoder* encoder, const float* image, float* features, float* context, float* joints) {
  if (!encoder || !image || !features || !context || !joints) return refuse("the encoder, the image or room for its features is null");
  if (!bounded(image, int64_t(3) * encoder->side * encoder->side, 1e6f)) return refuse("a pixel is not finite or beyond 1e6");
  return guarded(-1, [&] { return encoder->run(image, features, context, joints), 0; });
}

im2hands_keypoints* im2hands_keypoints_new(const float* block, int64_t count) {
  im2hands_keypoints* none = nullptr;
  if (!block || count < 1 || count > MOST) return refuse("%lld weights", (long long)count), none;
  if (!finite(block, count)) return refuse("a weight is not finite"), none;
  return guarded(none, [&]() -> im2hands_keypoints* {
    auto network = std::make_unique<im2hands_keypoints>();
    network->block = copied(block, count);
    if (!network->read()) return refuse("%lld weights are not those of a keypoint network", (long long)count), nullptr;
    return network.release();
  });
}

void im2hands_keypoints_free(im2hands_keypoints* network) { delete network; }

int im2hands_keypoints_run(const im2hands_keypoints* network, const float* pixels, const float* context, const float* heat,
                           const float* intrinsics, float* joints, uint8_t* present, float* spread, float* swapped) {
  if (!network || !pixels || !context || !heat || !intrinsics || !joints || !present || !spread || !swapped)
    return refuse("the network, the image, the hands or room for the result is null");
  if (!present[0] && !present[1]) return refuse("no hand is present");
  constexpr int AREA = GRID * GRID;
  if (!bounded(pixels, AREA * PIXEL_WIDTH, 1e9f) || !bounded(context, TOKENS * CONTEXT, 1e9f) ||
      !bounded(heat, BOTH * AREA, 1e6f) || !bounded(intrinsics, 9, 1e6f) || !bounded(joints, 3 * BOTH, FURTHEST))
    return refuse("a feature, the intrinsics or a joint is not finite or too large");
  if (!(intrinsics[0] > 0)) return refuse("the focal length is not positive");
  return guarded(-1, [&] {
    JointPair hands;
    std::memcpy(hands.joints, joints, sizeof hands.joints);
    for (int hand = 0; hand < 2; ++hand) hands.present[hand] = present[hand] != 0;
    *swapped = network->run({pixels, context, heat, intrinsics}, hands, spread);
    std::memcpy(joints, hands.joints, sizeof hands.joints);
    for (int hand = 0; hand < 2; ++hand) present[hand] = hands.present[hand];
    return 0;
  });
}
