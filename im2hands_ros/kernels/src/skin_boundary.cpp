// The C interface of what is done with a depth image.
#include <cmath>

#include "boundary.h"
#include "kernels.h"
#include "skin.h"

using namespace im2hands;

namespace {

// What is no number compares as false.
bool bounded(const double* values, int64_t count, double most) {
  for (int64_t i = 0; i < count; ++i)
    if (!(std::fabs(values[i]) <= most)) return false;
  return true;
}

bool any_nan(const double* values, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    if (std::isnan(values[i])) return true;
  return false;
}

constexpr int MOST_SPHERES = 1024;

}  // namespace

int64_t im2hands_known_pixels(const float* depth, int height, int width, const int32_t* boxes, int count, double step,
                              double share, int least, int32_t* places, double* mean, double* deviation,
                              int64_t room) {
  if (!depth || !boxes || !places || !mean || !deviation) return refuse("the depth image or room for its pixels is null");
  if (height < 3 || width < 3 || height > 1 << 15 || width > 1 << 15 || count < 0 || count > 2 || room < 0)
    return refuse("a depth image of %d x %d with %d boxes", width, height, count);
  if (!(step >= 0 && share >= 0) || least < 1) return refuse("depths alike by %g m and share %g", step, share);
  for (int i = 0; i < count; ++i) {
    const int32_t* box = boxes + 5 * i;
    if (box[4] < 1 || box[0] < 1 || box[1] < 1 || box[2] > width - 1 || box[3] > height - 1)
      return refuse("box %d does not lie inside of the image, or its step is below 1", i);
  }
  return known_pixels(depth, width, boxes, count, {step, share, least}, places, mean, deviation, room);
}

int im2hands_fronts(const double* rays, int64_t count, const double* centres, int spheres, const double* radii, int rows,
                    double* out) {
  if (spheres < 1 || spheres > MOST_SPHERES || rows < 1 || rows > 8)
    return refuse("%d rows of radii of %d spheres", rows, spheres);
  if (count < 0 || count > MOST_PIXELS) return refuse("%lld rays", (long long)count);
  if (!count) return 0;
  if (!rays || !centres || !radii || !out) return refuse("the rays, spheres or room for the result is null");
  if (!bounded(rays, 3 * count, 1e3) || !bounded(centres, 3 * spheres, FURTHEST) ||
      !bounded(radii, int64_t(rows) * spheres, FURTHEST))
    return refuse("a ray, centre or radius is not finite or too large");
  for (int64_t i = 0; i < count; ++i)
    if (!(rays[3 * i + 2] == 1)) return refuse("a ray has no z of 1");
  return guarded(-1, [&] { return fronts(rays, count, centres, spheres, radii, rows, out), 0; });
}

int im2hands_best_steps(const double* depth, const double* limb, const double* core, int hands, const double* shown,
                        int64_t count, const double* tried, int steps, const double* chances, int32_t* best) {
  if (hands < 1 || hands > 2 || steps < 1 || steps > MOST_STEPS) return refuse("%d steps of %d hands", steps, hands);
  if (count < 0 || count > MOST_PIXELS) return refuse("%lld pixels", (long long)count);
  if (!tried || !chances || !best || (count && (!depth || !limb || !core || !shown)))
    return refuse("the pixels, steps or room for the result is null");
  if (!bounded(depth, count, 1e3) || !bounded(shown, count, 1) || !bounded(tried, steps, 10) || !bounded(chances, 7, 1e6))
    return refuse("a depth, probability or step is not finite or too large");
  if (any_nan(limb, hands * count) || any_nan(core, hands * count)) return refuse("a near side is not a number");
  if (!(chances[0] > 0 && chances[1] > 0 && chances[2] > 0 && chances[4] > 0))
    return refuse("a deviation, range or share of mistakes is not above 0");
  const Chances given{chances[0], chances[1], chances[2], chances[3], chances[4], chances[5], chances[6]};
  return guarded(-1, [&] { return best_steps(depth, limb, core, hands, shown, count, tried, steps, given, best), 0; });
}

int im2hands_attach(const double* points, int64_t count, const double* joints, double* share, int32_t* ends) {
  if (count < 0 || count > MOST_PIXELS) return refuse("%lld points", (long long)count);
  if (!count) return 0;
  if (!points || !joints || !share || !ends) return refuse("the points, joints or room for the result is null");
  if (!bounded(points, 3 * count, 1e3) || !bounded(joints, 3 * JOINTS, 1e3))
    return refuse("a point or joint is not finite or further than 1 km");
  return attach(points, count, joints, share, ends), 0;
}

int im2hands_skin_step(const double* share, const int32_t* ends, const double* distance, const double* normal,
                       const double* weight, int64_t count, const double* modes, int modes_count, double* amounts) {
  if (modes_count < 1 || modes_count > MOST_MODES || count < 0 || count > MOST_PIXELS)
    return refuse("%d modes of %lld points", modes_count, (long long)count);
  if (!modes || !amounts || (count && (!share || !ends || !distance || !normal || !weight)))
    return refuse("the points, modes or amounts are null");
  if (!bounded(share, count, 1) || !bounded(distance, count, 1e3) || !bounded(normal, 3 * count, 1e3) ||
      !bounded(weight, count, 1e12) || !bounded(modes, int64_t(3) * JOINTS * modes_count, 1e3) ||
      !bounded(amounts, modes_count, 1e6))
    return refuse("a value of the points or modes is not finite or too large");
  for (int64_t i = 0; i < 2 * count; ++i)
    if (ends[i] < 0 || ends[i] >= JOINTS) return refuse("a point is on a joint that is not there");
  return guarded(-1, [&] {
    return skin_step({share, distance, normal, weight, modes, ends, count, modes_count}, amounts), 0;
  });
}
