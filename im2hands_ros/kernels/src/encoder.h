// The image encoder (networks/compact/image_encoder.py): convolutions of square maps, channels last, with a border of
// zeros around each. Batch norms are folded into the weights.
#pragma once

#include <cstddef>
#include <vector>

namespace im2hands {

// [side + 2 border][side + 2 border][channels]
struct Map {
  int side = 0, channels = 0, border = 0;
  std::vector<float> values;

  void resize(int new_side, int new_channels, int new_border);
  int pitch() const { return (side + 2 * border) * channels; }
  float* at(int y, int x) { return values.data() + offset(y, x); }
  const float* at(int y, int x) const { return values.data() + offset(y, x); }

 private:
  ptrdiff_t offset(int y, int x) const {
    return (static_cast<ptrdiff_t>(y + border) * (side + 2 * border) + x + border) * channels;
  }
};

// A convolution that keeps the size, but for its stride.
struct Convolution {
  int in, out, kernel, stride, stored;  // `stored` outputs: with those that fill up the last block
  std::vector<float> weight, bias;      // [stored / block][kernel kernel in][block], [stored]

  // to = relu(bias + weight * from + add), of as many channels as are stored; `add` may be null.
  void run(const Map& from, const Map* add, bool relu, Map& to) const;
};

class Encoder {
 public:
  static constexpr int WIDTHS[4] = {32, 64, 128, 192}, FEATURES = 32, JOINTS = 42, LEAST_SIDE = 192;

  // side: of the image, a multiple of LEAST_SIDE.
  explicit Encoder(int side) : side_(side) {}

  // Mean of the colours (3), then of each convolution weights [kernel][kernel][in][out] and bias [out]: the stem's; of
  // the two blocks of each stage the first one's, second one's and, where the block has one, the shortcut's; the
  // lateral ones'; the features', the joints'. False when the count does not fit.
  bool read(const std::vector<float>& block);

  // image (side, side, 3). features (side / 4, side / 4, FEATURES), context (side / 32, side / 32, WIDTHS[3]),
  // joints (JOINTS, side / 4, side / 4).
  void run(const float* image, float* features, float* context, float* joints);

 private:
  struct Residual {
    Convolution first, second, shortcut;
    Map middle, direct, result;

    const Map& run(const Map& from);
  };

  void prepare(const float* image);
  const Map& top_down();

  int side_;
  float mean_[3];
  Convolution stem_, smooth_, joint_head_, lateral_[4];
  Residual residual_[8];
  Map image_, first_, enlarged_[3], tops_[4], features_, joints_;
};

}  // namespace im2hands
