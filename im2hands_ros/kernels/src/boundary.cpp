// The C interface: everything is checked here, and nothing is thrown out of here.
#include "boundary.h"

#include "canonical.h"
#include "kernels.h"
#include "pool.h"

using namespace im2hands;

thread_local char im2hands::reason[256] = "";

namespace {

constexpr int VERSION = 7;

}  // namespace

int im2hands_version(void) { return VERSION; }

const char* im2hands_error(void) { return reason; }

int im2hands_threads(int count) {
  if (count < 1 || count > 256) return refuse("%d threads: use 1 to 256", count);
  return guarded(-1, [&] { return set_threads(count), 0; });
}

int im2hands_canonicalise(const float* joints, const uint8_t* mirrored, int hands, float* out) {
  if (hands < 0 || hands > 1 << 20) return refuse("%d hands", hands);
  if (hands && (!joints || !mirrored || !out)) return refuse("the joints, sides or frames are null");
  if (!finite(joints, int64_t(hands) * 63)) return refuse("a joint is not finite");
  for (int64_t hand = 0; hand < hands; ++hand) canonicalise(joints + 63 * hand, mirrored[hand], out + CANONICAL * hand);
  return 0;
}
