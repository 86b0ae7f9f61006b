// The C interface of the published networks' kernels.
#include <algorithm>
#include <memory>

#include "boundary.h"
#include "kernels.h"
#include "paper_decoder.h"
#include "vector_attention.h"

using namespace im2hands;

struct im2hands_attention : VectorAttention {};
struct im2hands_decoder : PaperDecoder {};

namespace {

constexpr int MOST_NEIGHBOURS = 1024, MOST_ATTENDED = 1 << 16;
constexpr float LARGEST = 1e9f;  // of features

template <class Layers>
Layers* read_layers(std::unique_ptr<Layers> layers, const float* block, int64_t count, const char* what) {
  layers->block = copied(block, count);
  if (layers->read()) return layers.release();
  return refuse("%lld weights are not those of %s", (long long)count, what), nullptr;
}

}  // namespace

im2hands_attention* im2hands_attention_new(const float* block, int64_t count, int width) {
  im2hands_attention* none = nullptr;
  if (width < 16 || width > 1024 || width % 16) return refuse("width %d: use a multiple of 16 up to 1024", width), none;
  if (!block || count < 1 || count > MOST) return refuse("%lld weights", (long long)count), none;
  if (!finite(block, count)) return refuse("a weight is not finite"), none;
  return guarded(none, [&] {
    auto attention = std::make_unique<im2hands_attention>();
    attention->width = width;
    return read_layers(std::move(attention), block, count, "an attention of this width");
  });
}

void im2hands_attention_free(im2hands_attention* attention) { delete attention; }

int im2hands_attention_run(const im2hands_attention* attention, const float* cloud, const float* keys,
                           const float* values, int size, const float* points, const float* queries,
                           const int32_t* near, int64_t count, int neighbours, const float* whole, float* out) {
  if (!attention || !cloud || !keys || !values) return refuse("the attention or its cloud is null");
  if (size < 1 || size > MOST_ATTENDED || neighbours < 1 || neighbours > MOST_NEIGHBOURS)
    return refuse("%d neighbours of %d: use 1 to %d", neighbours, size, MOST_NEIGHBOURS);
  if (count < 0 || count > MOST / neighbours) return refuse("%lld points", (long long)count);
  if (!count) return 0;
  if (!points || !near || !out) return refuse("the points, their neighbours or room for the result is null");
  int64_t width = attention->width;
  if (!bounded(cloud, 3 * int64_t(size), FURTHEST) || !bounded(points, 3 * count, FURTHEST))
    return refuse("a position is not finite or further than 100 m");
  if (!bounded(keys, size * width, LARGEST) || !bounded(values, size * width, LARGEST) ||
      (queries && !bounded(queries, count * width, LARGEST)) || (whole && !bounded(whole, 2 * width, LARGEST)))
    return refuse("a key, value or query is not finite or beyond 1e9");
  for (int64_t i = 0; i < count * neighbours; ++i)
    if (near[i] < 0 || near[i] >= size) return refuse("a neighbour is not one of the cloud");
  return guarded(-1, [&] {
    attention->run({cloud, keys, values, size}, {points, queries, whole, near, count, neighbours}, out);
    return 0;
  });
}

int im2hands_nearest(const float* centres, int64_t count, const float* positions, int size, int neighbours,
                     int32_t* out) {
  if (size < 1 || size > MOST_ATTENDED || neighbours < 1 || neighbours > std::min(size, MOST_NEIGHBOURS))
    return refuse("%d neighbours of %d: use 1 to %d, and as many as there are", neighbours, size, MOST_NEIGHBOURS);
  if (count < 0 || count > MOST / neighbours) return refuse("%lld points", (long long)count);
  if (!count) return 0;
  if (!centres || !positions || !out) return refuse("the points or room for their neighbours is null");
  if (!bounded(centres, 3 * count, FURTHEST) || !bounded(positions, 3 * int64_t(size), FURTHEST))
    return refuse("a position is not finite or further than 100 m");
  return guarded(-1, [&] { return nearest(centres, count, positions, size, neighbours, out), 0; });
}

im2hands_decoder* im2hands_decoder_new(const float* block, int64_t count, int bones, int width, int image) {
  im2hands_decoder* none = nullptr;
  if (bones < 1 || bones > 64 || width < 4 || width > 256 || width % 4 || image < 4 || image > 256 || image % 4)
    return refuse("%d bones of width %d with %d image features: use multiples of 4", bones, width, image), none;
  if (!block || count < 1 || count > MOST) return refuse("%lld weights", (long long)count), none;
  if (!finite(block, count)) return refuse("a weight is not finite"), none;
  return guarded(none, [&] {
    auto decoder = std::make_unique<im2hands_decoder>();
    decoder->bones = bones, decoder->width = width, decoder->image = image;
    return read_layers(std::move(decoder), block, count, "this decoder");
  });
}

void im2hands_decoder_free(im2hands_decoder* decoder) { delete decoder; }

int im2hands_decoder_run(const im2hands_decoder* decoder, const float* first, const float* points, const float* image,
                         int64_t count, float* out) {
  if (!decoder || !first) return refuse("the decoder or its first layer is null");
  if (count < 0 || count > MOST) return refuse("%lld points", (long long)count);
  if (!count) return 0;
  if (!points || !image || !out) return refuse("the points, their image features or their logits are null");
  if (!bounded(points, 3 * count, FURTHEST)) return refuse("a point is not finite or further than 100 m");
  if (!bounded(image, count * decoder->image, LARGEST) ||
      !bounded(first, int64_t(4) * decoder->bones * decoder->width, LARGEST))
    return refuse("an image feature or a weight is not finite or beyond 1e9");
  return guarded(-1, [&] { return decoder->run(first, points, image, count, out), 0; });
}
