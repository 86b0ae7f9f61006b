// The C interface of the field of a frame's hands and of the search for its surfaces.
#include <memory>

#include "boundary.h"
#include "field.h"
#include "kernels.h"
#include "pool.h"
#include "search.h"

using namespace im2hands;

struct im2hands_network : Network {};
struct im2hands_image : Image {};
struct im2hands_frame : Frame {};
struct im2hands_search {
  int resolution;
  std::vector<Search> hands;
};

namespace {

const char* problem_of(const im2hands_frame* frame, int hand, int refined) {
  if (!frame) return "the frame is null";
  if (hand < 0 || hand >= static_cast<int>(frame->hands.size())) return "the frame has no hand of this number";
  if (refined && !frame->refined) return "the frame has no anchors: call im2hands_frame_refine first";
  return nullptr;
}

}  // namespace

im2hands_network* im2hands_network_new(const float* block, int64_t count) {
  im2hands_network* none = nullptr;
  if (!block || count < 1 || count > MOST) return refuse("%lld weights", (long long)count), none;
  if (!finite(block, count)) return refuse("a weight is not finite"), none;
  return guarded(none, [&]() -> im2hands_network* {
    auto network = std::make_unique<im2hands_network>();
    network->block = copied(block, count);
    if (!network->read()) return refuse("%lld weights are not those of a compact network", (long long)count), nullptr;
    return network.release();
  });
}

void im2hands_network_free(im2hands_network* network) { delete network; }

im2hands_image* im2hands_image_new(const float* block, int64_t count, int height, int width, int tokens) {
  im2hands_image* none = nullptr;
  if (!block || count < 1 || count > MOST) return refuse("%lld values of an image", (long long)count), none;
  if (height < 1 || height > 4096 || width < 1 || width > 4096 || tokens < 1 || tokens > MOST_TOKENS)
    return refuse("%d x %d image features and %d tokens are not those of a crop", height, width, tokens), none;
  if (!finite(block, count)) return refuse("a value of the image is not finite"), none;
  return guarded(none, [&]() -> im2hands_image* {
    auto image = std::make_unique<im2hands_image>();
    image->height = height, image->width = width, image->tokens = tokens;
    image->block = copied(block, count);
    if (!image->read()) return refuse("%lld values are not those of an image", (long long)count), nullptr;
    return image.release();
  });
}

void im2hands_image_free(im2hands_image* image) { delete image; }

im2hands_frame* im2hands_frame_new(const im2hands_network* network, const im2hands_image* image,
                                   const float* const* blocks, int hands, int64_t count) {
  im2hands_frame* none = nullptr;
  if (!network || !image || !blocks) return refuse("the network, the image or the hands are null"), none;
  if (hands < 1 || hands > 2) return refuse("%d hands: give 1 or 2", hands), none;
  if (count < 1 || count > MOST) return refuse("%lld values of a hand", (long long)count), none;
  return guarded(none, [&]() -> im2hands_frame* {
    auto frame = std::make_unique<im2hands_frame>();
    frame->network = network;
    frame->hands.resize(hands);
    for (int number = 0; number < hands; ++number) {
      if (!blocks[number]) return refuse("hand %d is null", number), nullptr;
      Hand& hand = frame->hands[number];
      hand.image = image;
      hand.block = copied(blocks[number], count);
      if (!hand.read()) return refuse("%lld values are not those of a hand", (long long)count), nullptr;
      if (!finite(hand.block.data(), count)) return refuse("a value of hand %d is not finite", number), nullptr;
    }
    return frame.release();
  });
}

void im2hands_frame_free(im2hands_frame* frame) { delete frame; }

int im2hands_frame_refine(im2hands_frame* frame, const float* const* blocks, int64_t count, int anchors) {
  if (!frame || !blocks) return refuse("the frame or the anchors are null");
  if (!frame->network->corrects) return refuse("these weights hold no refinement");
  if (anchors < 2 || anchors % 2 || anchors > MOST_ANCHORS)
    return refuse("%d anchors: an even number, 2 to %d", anchors, MOST_ANCHORS);
  if (count < 1 || count > MOST) return refuse("%lld values of anchors", (long long)count);
  return guarded(-1, [&] {
    frame->refined = false;
    for (size_t number = 0; number < frame->hands.size(); ++number) {
      if (!blocks[number]) return refuse("anchors of hand %zu are null", number);
      Hand& hand = frame->hands[number];
      hand.anchors = anchors;
      hand.anchor_block = copied(blocks[number], count);
      if (!hand.read_anchors()) return refuse("%lld values are not those of %d anchors", (long long)count, anchors);
      if (!finite(hand.anchor_block.data(), count)) return refuse("a value of hand %zu's anchors is not finite", number);
    }
    frame->refined = true;
    return 0;
  });
}

int im2hands_logits(const im2hands_frame* frame, int hand, int refined, const float* points, int64_t count,
                    float* out) {
  if (const char* problem = problem_of(frame, hand, refined)) return refuse(problem);
  if (count < 0 || count > MOST) return refuse("%lld points", (long long)count);
  if (!count) return 0;
  if (!points || !out) return refuse("the points or their logits are null");
  if (!bounded(points, 3 * count, FURTHEST)) return refuse("a point is not finite or further than 100 m");
  return guarded(-1, [&] { return logits(*frame, hand, refined != 0, points, count, out), 0; });
}

int im2hands_logits_around(const im2hands_frame* frame, int hand, const float* points, int64_t count, float step,
                           float* out) {
  if (const char* problem = problem_of(frame, hand, 0)) return refuse(problem);
  if (count < 0 || count > MOST) return refuse("%lld points", (long long)count);
  if (!(step > 0 && step <= 1)) return refuse("a step of %g m: use one above 0 and up to 1", step);
  if (!count) return 0;
  if (!points || !out) return refuse("the points or their logits are null");
  if (!bounded(points, 3 * count, FURTHEST)) return refuse("a point is not finite or further than 100 m");
  return guarded(-1, [&] { return logits_around(*frame, hand, points, count, step, out), 0; });
}

im2hands_search* im2hands_search_new(int resolution, int hands, float* values) {
  im2hands_search* none = nullptr;
  if (resolution < 16 || resolution > 512) return refuse("%d cells a side: use 16 to 512", resolution), none;
  if (hands < 1 || hands > 2 || !values) return refuse("%d hands or no room for values", hands), none;
  return guarded(none, [&] {
    auto search = std::make_unique<im2hands_search>();
    search->resolution = resolution;
    int64_t size = int64_t(resolution + 1) * (resolution + 1) * (resolution + 1);
    search->hands.reserve(hands);
    for (int hand = 0; hand < hands; ++hand) search->hands.emplace_back(resolution, values + hand * size);
    return search.release();
  });
}

void im2hands_search_free(im2hands_search* search) { delete search; }

int im2hands_search_run(im2hands_search* search, const im2hands_frame* frame, int refined, float threshold,
                        const float* boxes, const float* segments, int count, float reach) {
  if (!search || !boxes || count < 0 || count > 4096 || (count && !segments))
    return refuse("the search, its boxes or %d segments are not there", count);
  int hands = static_cast<int>(search->hands.size());
  if (const char* problem = problem_of(frame, hands - 1, refined)) return refuse(problem);
  if (frame->hands.size() != search->hands.size()) return refuse("the search is not for as many hands as the frame");
  if (!bounded(boxes, 4 * hands, FURTHEST) || !bounded(segments, int64_t(6) * hands * count, 1e6f) ||
      !bounded(&threshold, 1, 1e4f) || !(reach >= 0))
    return refuse("a box, a segment, the threshold or the reach is not finite or too large");
  return guarded(-1, [&] {
    in_parallel(hands, [&](int hand) {
      Place place{boxes + 4 * hand, segments + 6 * hand * count, count, reach};
      search->hands[hand].run(*frame, hand, refined != 0, threshold, place);
    });
    return 0;
  });
}

int64_t im2hands_search_cells(const im2hands_search* search, int hand, int64_t* into, int64_t room) {
  if (!search || hand < 0 || hand >= static_cast<int>(search->hands.size()) || room < 0 || (room && !into))
    return refuse("there is no search, no hand %d or no room for its cells", hand);
  const std::vector<int>& cells = search->hands[hand].cells;
  for (int64_t i = 0; i < room && i < static_cast<int64_t>(cells.size()); ++i) into[i] = cells[i];
  return cells.size();
}

int im2hands_search_rounds(const im2hands_search* search, int hand, int* into, int room) {
  if (!search || hand < 0 || hand >= static_cast<int>(search->hands.size()) || room < 0 || (room && !into))
    return refuse("there is no search, no hand %d or no room for its rounds", hand);
  const std::vector<int>& rounds = search->hands[hand].rounds;
  for (int i = 0; i < room && i < static_cast<int>(rounds.size()); ++i) into[i] = rounds[i];
  return static_cast<int>(rounds.size());
}
