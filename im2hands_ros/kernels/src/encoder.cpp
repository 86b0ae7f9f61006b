#include "encoder.h"

#include <algorithm>

#include "pool.h"
#include "reader.h"

namespace im2hands {

int block_of(int side, int outputs);  // convolution.cpp

namespace {

// A convolution whose result has this side.
void read_convolution(Reader& from, int in, int out, int kernel, int stride, int side, Convolution& to) {
  const float *weight, *bias;
  int inputs = kernel * kernel * in;
  from.layer(weight, bias, inputs, out);
  int multiple = out % 16 ? (out + 15) / 16 * 16 : out;
  to.in = in, to.out = out, to.kernel = kernel, to.stride = stride, to.stored = multiple;
  if (from.is_short()) return;
  int block = block_of(side, multiple);
  to.weight.assign(static_cast<size_t>(inputs) * multiple, 0.0f);
  to.bias.assign(multiple, 0.0f);
  std::copy_n(bias, out, to.bias.begin());
  for (int o = 0; o < out; ++o)
    for (int i = 0; i < inputs; ++i)
      to.weight[(static_cast<size_t>(o / block) * inputs + i) * block + o % block] = weight[static_cast<size_t>(i) * out + o];
}

// Twice the side, between the pixels' centres: to = bilinear(from).
void enlarge(const Map& from, Map& to) {
  to.resize(2 * from.side, from.channels, 1);
  in_parallel(from.side, [&](int half) {
    for (int y = 2 * half; y < 2 * half + 2; ++y) {
      int near_y = y / 2, far_y = std::min(std::max(near_y + (y % 2 ? 1 : -1), 0), from.side - 1);
      for (int x = 0; x < to.side; ++x) {
        int near_x = x / 2, far_x = std::min(std::max(near_x + (x % 2 ? 1 : -1), 0), from.side - 1);
        const float *a = from.at(near_y, near_x), *b = from.at(near_y, far_x);
        const float *c = from.at(far_y, near_x), *d = from.at(far_y, far_x);
        float* into = to.at(y, x);
        for (int i = 0; i < to.channels; ++i)
          into[i] = 0.75f * (0.75f * a[i] + 0.25f * b[i]) + 0.25f * (0.75f * c[i] + 0.25f * d[i]);
      }
    }
  });
}

void copy_rows(const Map& from, float* to) {
  for (int y = 0; y < from.side; ++y, to += from.side * from.channels)
    std::copy_n(from.at(y, 0), from.side * from.channels, to);
}

}  // namespace

bool Encoder::read(const std::vector<float>& block) {
  Reader from(block);
  for (float& value : mean_) from.take(value);
  int side = side_ / 2, in = WIDTHS[0];
  read_convolution(from, 3, in, 7, 2, side, stem_);
  for (int stage = 0; stage < 4; ++stage, side /= 2)
    for (int number = 0; number < 2; ++number) {
      Residual& residual = residual_[2 * stage + number];
      int out = WIDTHS[stage], stride = number ? 1 : 2, result = side / 2;
      read_convolution(from, in, out, 3, stride, result, residual.first);
      read_convolution(from, out, out, 3, 1, result, residual.second);
      if (!number) read_convolution(from, in, out, 1, stride, result, residual.shortcut);
      in = out;
    }
  side = side_ / 4;
  for (int stage = 0; stage < 4; ++stage)
    read_convolution(from, WIDTHS[stage], 2 * FEATURES, 1, 1, side >> stage, lateral_[stage]);
  read_convolution(from, 2 * FEATURES, FEATURES, 3, 1, side, smooth_);
  read_convolution(from, 2 * FEATURES, JOINTS, 3, 1, side, joint_head_);
  return from.exact();
}

void Encoder::prepare(const float* image) {
  image_.resize(side_, 3, 3);
  for (int y = 0; y < side_; ++y) {
    float* to = image_.at(y, 0);
    for (int x = 0; x < side_; ++x, image += 3, to += 3)
      for (int colour = 0; colour < 3; ++colour) to[colour] = image[colour] - mean_[colour];
  }
}

const Map& Encoder::Residual::run(const Map& from) {
  first.run(from, nullptr, true, middle);
  const Map* beside = &from;
  if (first.stride != 1) {
    shortcut.run(from, nullptr, false, direct);
    beside = &direct;
  }
  second.run(middle, beside, true, result);
  return result;
}

const Map& Encoder::top_down() {
  for (int stage = 3; stage >= 0; --stage) {
    const Map* above = nullptr;
    if (stage < 3) enlarge(tops_[stage + 1], enlarged_[stage]), above = &enlarged_[stage];
    lateral_[stage].run(residual_[2 * stage + 1].result, above, stage == 0, tops_[stage]);
  }
  return tops_[0];
}

void Encoder::run(const float* image, float* features, float* context, float* joints) {
  prepare(image);
  stem_.run(image_, nullptr, true, first_);
  const Map* last = &first_;
  for (Residual& residual : residual_) last = &residual.run(*last);
  const Map& top = top_down();
  smooth_.run(top, nullptr, false, features_);
  joint_head_.run(top, nullptr, false, joints_);
  copy_rows(features_, features);
  copy_rows(*last, context);
  int side = joints_.side;
  in_parallel(side, [&](int y) {
    for (int x = 0; x < side; ++x) {
      const float* from = joints_.at(y, x);
      for (int joint = 0; joint < JOINTS; ++joint) joints[(static_cast<ptrdiff_t>(joint) * side + y) * side + x] = from[joint];
    }
  });
}

}  // namespace im2hands
