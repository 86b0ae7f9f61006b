// Features of the image around joints: moments of their heat maps, and patches.
#include <algorithm>
#include <cmath>

#include "joint_geometry.h"
#include "pool.h"
#include "vector.h"

namespace im2hands {
namespace {

constexpr float STRIDE = 4.0f, LAST = GRID - 1.0f;
constexpr float WINDOW_SPACINGS[WINDOWS] = {1.0f, 2.5f};
constexpr int WINDOW_SIDE = 2 * WINDOW_REACH + 1, WINDOW = WINDOW_SIDE * WINDOW_SIDE;
static_assert(GRID * GRID % 16 == 0 && PIXEL_WIDTH % LANES == 0, "rows of whole registers");

float clamped(float value, float low, float high) { return std::min(std::max(value, low), high); }

float summed(Floats values) {
  float sum = 0;
  for (int l = 0; l < LANES; ++l) sum += values[l];
  return sum;
}

// Between which pixels a place lies; beyond the border it is on the border.
struct Between {
  int low, high;
  float share;

  explicit Between(float place) {
    place = clamped(place, 0.0f, LAST);
    low = static_cast<int>(place);
    high = std::min(low + 1, GRID - 1);
    share = place - low;
  }
};

}  // namespace

JointImage::JointImage(const FrameImage& image) : image_(image) {
  in_parallel(BOTH, [&](int joint) {
    const float* map = image_.heat + joint * GRID * GRID;
    float most = *std::max_element(map, map + GRID * GRID);
    alignas(64) float row[GRID], of_x[GRID] = {};
    float sum = 0, x = 0, y = 0, square = 0;
    for (int v = 0; v < GRID; ++v) {
      Floats total = {};
      for (int u = 0; u < GRID; u += LANES) {
        Floats share = exponential(load(map + v * GRID + u) - most);
        store(of_x + u, load(of_x + u) + share);
        total += share;
      }
      row[v] = summed(total);
      sum += row[v];
    }
    for (int i = 0; i < GRID; ++i) {
      x += of_x[i] / sum * i;
      y += row[i] / sum * i;
      square += (of_x[i] + row[i]) / sum * i * i;
    }
    float spread = std::sqrt(std::max(square - (x * x + y * y), 1e-6f));
    whole_[joint] = {x, y, spread, std::log(std::max(1 / sum, 1e-6f)) / 5, most + std::log(sum)};
  });
}

void JointImage::sample(const JointPair& hands, float spacing, float* into) const {
  in_parallel(BOTH, [&](int joint) { sample_joint(joint, hands.joints[joint], spacing, into + joint * SAMPLED); });
}

void JointImage::sample_joint(int joint, const float* place, float spacing, float* into) const {
  const float* k = image_.intrinsics;
  float projected[3];
  for (int row = 0; row < 3; ++row)
    projected[row] = k[3 * row] * place[0] + k[3 * row + 1] * place[1] + k[3 * row + 2] * place[2];
  float depth = std::max(projected[2], 0.05f);
  float x = clamped((projected[0] / depth - (STRIDE - 1) / 2) / STRIDE, -48, 96);
  float y = clamped((projected[1] / depth - (STRIDE - 1) / 2) / STRIDE, -48, 96);
  // Metres that one feature pixel spans at the joint, in the unit of the steps.
  float scale = STRIDE * depth / k[0] / STEP_UNIT;
  const Moments& whole = whole_[joint];
  const float of_map[MOMENTS] = {(whole.x - x) * scale, (whole.y - y) * scale, whole.spread * scale, whole.peak};
  for (int i = 0; i < MOMENTS; ++i) into[i] = clamped(of_map[i], -5, 5);
  for (int i = 0; i < WINDOWS; ++i) window(joint, x, y, WINDOW_SPACINGS[i], scale, into + MOMENTS * (i + 1));
  patch(x, y, spacing, into + MOMENTS * (WINDOWS + 1));
}

// Mean offset, spread and log mass of the heat in a window.
void JointImage::window(int joint, float x, float y, float spacing, float scale, float* into) const {
  const float* map = image_.heat + joint * GRID * GRID;
  constexpr int ROOM = (WINDOW + 15) / 16 * 16;
  alignas(64) float logits[ROOM];
  std::fill(logits, logits + ROOM, -1e9f);
  float most = -1e9f;
  for (int v = 0; v < WINDOW_SIDE; ++v) {
    Between down(y + (v - WINDOW_REACH) * spacing);
    const float *above = map + down.low * GRID, *below = map + down.high * GRID;
    for (int u = 0; u < WINDOW_SIDE; ++u) {
      Between across(x + (u - WINDOW_REACH) * spacing);
      float upper = above[across.low] + across.share * (above[across.high] - above[across.low]);
      float lower = below[across.low] + across.share * (below[across.high] - below[across.low]);
      float value = logits[v * WINDOW_SIDE + u] = upper + down.share * (lower - upper);
      most = std::max(most, value);
    }
  }
  for (int i = 0; i < ROOM; i += LANES) store(logits + i, exponential(load(logits + i) - most));
  float sum = 0, mean_x = 0, mean_y = 0, square = 0;
  for (int i = 0; i < WINDOW; ++i) {
    float u = (i % WINDOW_SIDE - WINDOW_REACH) * spacing, v = (i / WINDOW_SIDE - WINDOW_REACH) * spacing;
    sum += logits[i];
    mean_x += logits[i] * u;
    mean_y += logits[i] * v;
    square += logits[i] * (u * u + v * v);
  }
  mean_x /= sum, mean_y /= sum;
  float spread = std::max(square / sum - (mean_x * mean_x + mean_y * mean_y), 0.0f);
  into[0] = mean_x * scale;
  into[1] = mean_y * scale;
  into[2] = std::sqrt(spread + 1e-6f) * scale;
  into[3] = clamped(most + std::log(sum) - whole_[joint].mass, -20, 5) / 5;
}

void JointImage::patch(float x, float y, float spacing, float* into) const {
  for (int v = -PATCH_REACH; v <= PATCH_REACH; ++v)
    for (int u = -PATCH_REACH; u <= PATCH_REACH; ++u, into += PIXEL_WIDTH) {
      Between across(x + u * spacing), down(y + v * spacing);
      const float* rows[2] = {image_.pixels + down.low * GRID * PIXEL_WIDTH, image_.pixels + down.high * GRID * PIXEL_WIDTH};
      int left = across.low * PIXEL_WIDTH, right = across.high * PIXEL_WIDTH;
      for (int c = 0; c < PIXEL_WIDTH; c += LANES) {
        Floats upper = (1 - across.share) * load(rows[0] + left + c) + across.share * load(rows[0] + right + c);
        Floats lower = (1 - across.share) * load(rows[1] + left + c) + across.share * load(rows[1] + right + c);
        store(into + c, (1 - down.share) * upper + down.share * lower);
      }
    }
}

}  // namespace im2hands
