// The C interface: everything is checked here, and nothing is thrown out of here.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "blocks.h"
#include "boundary.h"
#include "canonical.h"
#include "encoder.h"
#include "field.h"
#include "kernels.h"
#include "keypoints.h"
#include "lattice.h"
#include "marching.h"
#include "mesh.h"
#include "pool.h"
#include "search.h"

using namespace im2hands;

thread_local char im2hands::reason[256] = "";

struct im2hands_network : Network {};
struct im2hands_frame : Frame {};
struct im2hands_blocks : Blocks {};
struct im2hands_keypoints : KeypointNetwork {};
struct im2hands_mesher : Marching {
  using Marching::Marching;
};
struct im2hands_encoder : Encoder {
  using Encoder::Encoder;
  int side;
};
struct im2hands_search {
  int resolution;
  std::vector<Search> hands;
};

namespace {

constexpr int VERSION = 6;

// Why vertices and triangles are no mesh, or null.
const char* problem_of(const float* vertices, int64_t vertex_count, const int32_t* triangles, int64_t triangle_count) {
  if (!vertices || !triangles) return "a mesh's pointer is null";
  if (vertex_count < 1 || vertex_count > MOST || triangle_count < 1 || triangle_count > MOST)
    return "a mesh needs 1 to 2^28 vertices and triangles";
  if (!bounded(vertices, 3 * vertex_count, FURTHEST)) return "a vertex is not finite or further than 100 m";
  for (int64_t i = 0; i < 3 * triangle_count; ++i)
    if (triangles[i] < 0 || triangles[i] >= vertex_count) return "a triangle names a vertex that is not there";
  return nullptr;
}

// Why these are not low corners of cells with finite values, sorted.
const char* problem_of(const int64_t* cells, int64_t count, int resolution, const float* values) {
  int side = resolution + 1;
  for (int64_t i = 0; i < count; ++i) {
    int64_t cell = cells[i];
    if (i && cell <= cells[i - 1]) return "the cells are not sorted";
    if (cell < 0 || cell / side / side >= resolution || cell / side % side >= resolution || cell % side >= resolution)
      return "a cell is not one of the lattice";
    for (int k = 0; k < 8; ++k) {
      int64_t corner = cell + ((k >> 2) * side + (k >> 1 & 1)) * side + (k & 1);
      if (!(std::fabs(values[corner]) <= 1e6f)) return "a value is not finite or beyond 1e6";
    }
  }
  return nullptr;
}

const char* problem_of(const im2hands_frame* frame, int hand, int refined) {
  if (!frame) return "the frame is null";
  if (hand < 0 || hand >= static_cast<int>(frame->hands.size())) return "the frame has no hand of this number";
  if (refined && !frame->refined) return "the frame has no anchors: call im2hands_frame_refine first";
  return nullptr;
}

}  // namespace

int im2hands_version(void) { return VERSION; }

const char* im2hands_error(void) { return reason; }

int im2hands_threads(int count) {
  if (count < 1 || count > 256) return refuse("%d threads: use 1 to 256", count);
  return guarded(-1, [&] { return set_threads(count), 0; });
}

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

im2hands_frame* im2hands_frame_new(const im2hands_network* network, const float* const* blocks, int hands,
                                   int64_t count, int height, int width, int tokens) {
  im2hands_frame* none = nullptr;
  if (!network || !blocks) return refuse("the network or the hands are null"), none;
  if (hands < 1 || hands > 2) return refuse("%d hands: give 1 or 2", hands), none;
  if (height < 1 || height > 4096 || width < 1 || width > 4096 || tokens < 1 || tokens > MOST_TOKENS)
    return refuse("%d x %d image features and %d tokens are not those of a crop", height, width, tokens), none;
  if (count < 1 || count > MOST) return refuse("%lld values of a hand", (long long)count), none;
  return guarded(none, [&]() -> im2hands_frame* {
    auto frame = std::make_unique<im2hands_frame>();
    frame->network = network;
    frame->hands.resize(hands);
    for (int number = 0; number < hands; ++number) {
      if (!blocks[number]) return refuse("hand %d is null", number), nullptr;
      Hand& hand = frame->hands[number];
      hand.height = height, hand.width = width, hand.tokens = tokens;
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

int im2hands_components(const float* vertices, int64_t vertex_count, const int32_t* triangles, int64_t triangle_count,
                        double share, uint8_t* keep, int* found) {
  if (const char* problem = problem_of(vertices, vertex_count, triangles, triangle_count)) return refuse(problem);
  if (!keep || !found || !(share >= 0 && share <= 1)) return refuse("no room for the answer, or share %g", share);
  return guarded(
      -1, [&] { return large_components(vertices, vertex_count, triangles, triangle_count, share, keep, found); });
}

int64_t im2hands_voxels(const float* vertices, int64_t vertex_count, const int32_t* triangles, int64_t triangle_count,
                        double size, float* centres, int64_t room) {
  if (const char* problem = problem_of(vertices, vertex_count, triangles, triangle_count)) return refuse(problem);
  if (!(size >= 1e-4 && size <= FURTHEST)) return refuse("voxel size %g m: use 0.0001 to 100", size);
  if (room < 0 || (room && !centres)) return refuse("no room for the centres");
  return guarded(int64_t(-1),
                 [&] { return voxels_under(vertices, triangles, triangle_count, size, centres, room); });
}

int im2hands_canonicalise(const float* joints, const uint8_t* mirrored, int hands, float* out) {
  if (hands < 0 || hands > 1 << 20) return refuse("%d hands", hands);
  if (hands && (!joints || !mirrored || !out)) return refuse("the joints, sides or frames are null");
  if (!finite(joints, int64_t(hands) * 63)) return refuse("a joint is not finite");
  for (int64_t hand = 0; hand < hands; ++hand) canonicalise(joints + 63 * hand, mirrored[hand], out + CANONICAL * hand);
  return 0;
}

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

im2hands_mesher* im2hands_mesher_new(const int8_t* tables, int64_t count) {
  im2hands_mesher* none = nullptr;
  if (!tables || count < 1 || count > 1 << 20) return refuse("%lld numbers of tables", (long long)count), none;
  return guarded(none, [&]() -> im2hands_mesher* { return new im2hands_mesher(CubeTables(tables, count)); });
}

void im2hands_mesher_free(im2hands_mesher* mesher) { delete mesher; }

int64_t im2hands_mesher_run(im2hands_mesher* mesher, const float* values, int resolution, const int64_t* cells,
                            int64_t count, float threshold, double clearance, double share, int64_t* sizes) {
  if (!mesher || !values || !sizes || count < 0 || count > MOST || (count && !cells))
    return refuse("the mesher, the values or %lld cells are not there", (long long)count);
  if (resolution < 1 || resolution > 512) return refuse("%d cells a side: use 1 to 512", resolution);
  if (!(std::fabs(threshold) <= 1e4f) || !(clearance >= 0) || !(clearance <= 1) || !(share >= 0) || !(share <= 1))
    return refuse("the threshold, the clearance or the share is out of range");
  if (const char* problem = problem_of(cells, count, resolution, values)) return refuse(problem);
  return guarded<int64_t>(-1, [&] {
    mesher->run(values, resolution, cells, count, threshold, clearance);
    mesher->keep_large(share);
    sizes[0] = mesher->vertices.size() / 3;
    sizes[1] = mesher->triangles.size() / 3;
    sizes[2] = mesher->left_out.size() / 9;
    return sizes[0];
  });
}

int im2hands_mesher_copy(const im2hands_mesher* mesher, float* vertices, int32_t* triangles, float* left_out) {
  if (!mesher || !vertices || !triangles || !left_out) return refuse("the mesher or room for its surface is null");
  std::copy(mesher->vertices.begin(), mesher->vertices.end(), vertices);
  std::copy(mesher->triangles.begin(), mesher->triangles.end(), triangles);
  std::copy(mesher->left_out.begin(), mesher->left_out.end(), left_out);
  return 0;
}

int im2hands_shade(const float* vertices, int64_t vertex_count, const int32_t* triangles, int64_t triangle_count,
                   const float* lamp, const float* colour, float darkest, float* colours) {
  if (const char* problem = problem_of(vertices, vertex_count, triangles, triangle_count)) return refuse(problem);
  if (!lamp || !colour || !colours) return refuse("the lamp, the colour or room for colours is null");
  if (!bounded(lamp, 3, 1.001f) || !bounded(colour, 3, 1) || !(darkest >= 0) || !(darkest <= 1))
    return refuse("the lamp, the colour or its darkest share is out of range");
  return guarded(-1, [&] {
    shade(vertices, vertex_count, triangles, triangle_count, lamp, colour, darkest, colours);
    return 0;
  });
}

int im2hands_corners(const float* values, int64_t vertex_count, int columns, const int32_t* triangles,
                     int64_t triangle_count, int64_t rows, void* out) {
  if (!values || !triangles || !out) return refuse("the values, the triangles or room for the corners is null");
  if (columns != 3 && columns != 4) return refuse("%d columns: use 3 or 4", columns);
  if (vertex_count < 1 || vertex_count > MOST || triangle_count < 1 || triangle_count > MOST)
    return refuse("a mesh needs 1 to 2^28 vertices and triangles");
  if (rows < 3 * triangle_count || rows > 4 * MOST) return refuse("%lld rows are not those of the corners", (long long)rows);
  for (int64_t i = 0; i < 3 * triangle_count; ++i)
    if (triangles[i] < 0 || triangles[i] >= vertex_count) return refuse("a triangle names a vertex that is not there");
  auto write = columns == 3 ? corner_points : corner_colours;
  return write(values, triangles, 3 * triangle_count, rows, static_cast<char*>(out)), 0;
}
