// The parts of a block of floats, in order.
#pragma once

#include <cstddef>
#include <vector>

namespace im2hands {

class Reader {
 public:
  explicit Reader(const std::vector<float>& block) : next_(block.data()), left_(block.size()) {}

  void take(const float*& part, size_t count) {
    part = next_;
    if (count > left_) short_ = true;
    size_t taken = count > left_ ? left_ : count;
    next_ += taken;
    left_ -= taken;
  }
  void take(float& value) {
    const float* part;
    take(part, 1);
    if (!short_) value = *part;
  }
  void layer(const float*& weight, const float*& bias, size_t in, size_t out, size_t times = 1) {
    take(weight, times * in * out);
    take(bias, times * out);
  }
  size_t left() const { return left_; }
  bool is_short() const { return short_; }
  bool exact() const { return !short_ && left_ == 0; }

 private:
  const float* next_;
  size_t left_;
  bool short_ = false;
};

}  // namespace im2hands
