// The C interface of the refinement by close-ups.
#include <cmath>
#include <cstring>
#include <memory>

#include "boundary.h"
#include "close_ups.h"
#include "kernels.h"

using namespace im2hands;

struct im2hands_closeups : CloseUpNetwork {};

im2hands_closeups* im2hands_closeups_new(const float* block, int64_t count) {
  im2hands_closeups* none = nullptr;
  if (!block || count < 1 || count > MOST) return refuse("%lld weights", (long long)count), none;
  if (!finite(block, count)) return refuse("a weight is not finite"), none;
  return guarded(none, [&]() -> im2hands_closeups* {
    auto network = std::make_unique<im2hands_closeups>();
    network->block = copied(block, count);
    if (!network->read()) return refuse("%lld weights are not those of a refinement by close-ups", (long long)count), nullptr;
    return network.release();
  });
}

void im2hands_closeups_free(im2hands_closeups* network) { delete network; }

int im2hands_closeups_run(const im2hands_closeups* network, const uint8_t* image, int rows, int columns, const float* pixels,
                          const float* axes, const float* step, const float* given, const uint8_t* present, float* joints,
                          float* spread) {
  if (!network || !image || !pixels || !axes || !step || !given || !present || !joints || !spread)
    return refuse("the network, the image, the hands or room for the result is null");
  if (rows < 1 || columns < 1 || int64_t(rows) * columns > MOST) return refuse("an image of %d x %d", rows, columns);
  if (!present[0] && !present[1]) return refuse("no hand is present");
  if (!bounded(pixels, 2 * BOTH, 1e6f) || !bounded(axes, 4 * BOTH, 1.001f) || !bounded(step, 2, 1e6f) ||
      !bounded(given, 3 * BOTH, FURTHEST) || !bounded(joints, 3 * BOTH, FURTHEST))
    return refuse("a pixel, an axis, a step or a joint is not finite or too large");
  if (!(step[0] > 0) || !(step[1] > 0)) return refuse("a step is not positive");
  return guarded(-1, [&] {
    JointPair hands;
    std::memcpy(hands.joints, joints, sizeof hands.joints);
    for (int hand = 0; hand < 2; ++hand) hands.present[hand] = present[hand] != 0;
    network->run({image, rows, columns, pixels, axes, step}, given, hands, spread);
    std::memcpy(joints, hands.joints, sizeof hands.joints);
    return 0;
  });
}
