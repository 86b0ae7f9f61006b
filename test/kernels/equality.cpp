// Compares the kernels with what test/support/kernel_vectors.py wrote; exit status 1 where they differ.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "kernels.h"
#include "vectors.h"

namespace {

std::vector<const float*> rows(const std::vector<float>& block, int hands) {
  std::vector<const float*> each;
  for (int hand = 0; hand < hands; ++hand) each.push_back(block.data() + block.size() / hands * hand);
  return each;
}

void encoder_and_keypoints() {
  auto weights = next<float>(), image = next<float>(), pixels = next<float>(), context = next<float>(), heat = next<float>();
  auto* encoder = made(im2hands_encoder_new(weights.data(), weights.size(), std::sqrt(image.size() / 3)));
  std::vector<float> features(pixels.size()), coarse(context.size()), maps(heat.size());
  expect(im2hands_encoder_run(encoder, image.data(), features.data(), coarse.data(), maps.data()));
  check_close(features, pixels, 1e-5f, "image features");
  check_close(coarse, context, 1e-5f, "coarse image features");
  check_close(maps, heat, 1e-5f, "heat maps");

  auto of_keypoints = next<float>(), camera = next<float>(), joints = next<float>(), refined = next<float>();
  auto spread = next<float>(), swapped = next<float>();
  auto* network = made(im2hands_keypoints_new(of_keypoints.data(), of_keypoints.size()));
  uint8_t present[2] = {1, 1};
  std::vector<float> errors(spread.size()), side(1), given = joints;
  expect(im2hands_keypoints_run(network, pixels.data(), context.data(), heat.data(), camera.data(), joints.data(), present,
                                errors.data(), side.data()));
  check(furthest(joints, refined) < 1e-6f, "refined joints, metres", furthest(joints, refined));
  check(furthest(given, refined) > 1e-3f, "joints move, metres", furthest(given, refined));
  check_close(errors, spread, 1e-4f, "spread of the joints");
  check(furthest(side, swapped) < 1e-3f, "swapped sides", furthest(side, swapped));
}

void close_ups() {
  auto weights = next<float>();
  auto sizes = next<int64_t>(), bytes = next<int64_t>();
  auto pixels = next<float>(), axes = next<float>(), step = next<float>(), given = next<float>(), joints = next<float>();
  auto refined = next<float>(), spread = next<float>();
  std::vector<uint8_t> image(bytes.begin(), bytes.end());
  auto* network = made(im2hands_closeups_new(weights.data(), weights.size()));
  const uint8_t present[2] = {1, 1};
  std::vector<float> errors(spread.size()), before = joints;
  expect(im2hands_closeups_run(network, image.data(), sizes[0], sizes[1], pixels.data(), axes.data(), step.data(), given.data(),
                               present, joints.data(), errors.data()));
  check(furthest(joints, refined) < 2e-6f, "joints refined by close-ups, metres", furthest(joints, refined));
  check(furthest(before, refined) > 1e-3f, "close-ups move them, metres", furthest(before, refined));
  check_close(errors, spread, 1e-4f, "their spread");
}

void tokens() {
  auto weights = next<float>(), given = next<float>(), expected = next<float>();
  auto* blocks = made(im2hands_blocks_new(weights.data(), weights.size(), 2, 64, 4));
  expect(im2hands_blocks_run(blocks, given.data(), 2, 78, nullptr));
  check_close(given, expected, 1e-5f, "tokens");
}

void meshes(int resolution) {
  auto numbers = next<int64_t>();
  std::vector<int8_t> tables(numbers.begin(), numbers.end());
  auto values = next<float>();
  auto cells = next<int64_t>();
  auto vertices = next<float>();
  auto corners = next<int64_t>();
  auto centres = next<float>();
  std::vector<int32_t> triangles(corners.begin(), corners.end());
  auto* mesher = made(im2hands_mesher_new(tables.data(), tables.size()));
  int64_t sizes[3];
  expect(im2hands_mesher_run(mesher, values.data(), resolution, cells.data(), cells.size(), 0, 1e-3, 0.05, sizes));
  std::vector<float> found(3 * sizes[0]), left_out(9 * sizes[2] + 1);
  std::vector<int32_t> faces(3 * sizes[1]);
  expect(im2hands_mesher_copy(mesher, found.data(), faces.data(), left_out.data()));
  check(faces == triangles && !faces.empty(), "triangles", faces.size() / 3);
  check(furthest(found, vertices) < 1e-4f, "vertices, cells", furthest(found, vertices));
  for (float& coordinate : vertices) coordinate *= 0.2f / resolution;
  std::vector<uint8_t> keep(vertices.size() / 3);
  int parts = 0;
  expect(im2hands_components(vertices.data(), keep.size(), triangles.data(), corners.size() / 3, 0.05, keep.data(), &parts));
  check(parts == 1 && keep.front() && keep.back(), "components", parts);
  std::vector<float> voxels(centres.size());
  int64_t there = im2hands_voxels(vertices.data(), keep.size(), triangles.data(), corners.size() / 3, 0.005, voxels.data(),
                                  voxels.size() / 3);
  check(3 * there == int64_t(centres.size()) && furthest(voxels, centres) < 1e-6f, "voxels", there);
  const float lamp[3] = {0, 0, -1}, colour[3] = {0.5f, 0.5f, 0.5f};
  std::vector<float> colours(4 * keep.size());
  expect(im2hands_shade(vertices.data(), keep.size(), triangles.data(), corners.size() / 3, lamp, colour, 0.2f, colours.data()));
  check(colours[0] >= 0.1f && colours[0] <= 0.5f && colours[3] == 1, "colours", colours[0]);
}

void published_layers() {
  auto weights = next<float>(), points = next<float>(), cloud = next<float>();
  auto near = next<int64_t>();
  int width = 48, size = cloud.size() / 3, count = points.size() / 3, neighbours = near.size() / count;
  std::vector<int32_t> numbers(near.begin(), near.end()), nearest(near.size());
  expect(im2hands_nearest(points.data(), count, cloud.data(), size, neighbours, nearest.data()));
  for (int p = 0; p < count; ++p) std::sort(nearest.begin() + p * neighbours, nearest.begin() + (p + 1) * neighbours);
  check(nearest == numbers, "nearest points", neighbours);
  auto* attention = made(im2hands_attention_new(weights.data(), weights.size(), width));
  for (bool one_query : {true, false}) {
    auto keys = next<float>(), values = next<float>(), more = next<float>(), expected = next<float>();
    std::vector<float> found(expected.size());
    expect(im2hands_attention_run(attention, cloud.data(), keys.data(), values.data(), size, points.data(),
                                  one_query ? nullptr : more.data(), numbers.data(), count, neighbours,
                                  one_query ? more.data() : nullptr, found.data()));
    check_close(found, expected, 1e-5f, one_query ? "attention of one query" : "attention of a query per point");
  }
  auto of_decoder = next<float>(), first = next<float>(), at = next<float>(), image = next<float>(), logits = next<float>();
  auto* decoder = made(im2hands_decoder_new(of_decoder.data(), of_decoder.size(), 16, 64, 20));
  std::vector<float> found(logits.size());
  expect(im2hands_decoder_run(decoder, first.data(), at.data(), image.data(), logits.size(), found.data()));
  check_close(found, logits, 1e-5f, "logits of the published decoder");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return std::printf("usage: equality VECTORS\n"), 2;
  file.open(arguments[1], std::ios::binary);
  auto sizes = next<int64_t>();
  int hands = sizes[0], resolution = sizes[5], bones = sizes[6];
  auto weights = next<float>(), of_image = next<float>(), of_hands = next<float>(), anchors = next<float>(), points = next<float>();
  auto initial = next<float>(), refined = next<float>(), around = next<float>();
  im2hands_threads(2);
  auto* network = made(im2hands_network_new(weights.data(), weights.size()));
  auto* image = made(im2hands_image_new(of_image.data(), of_image.size(), sizes[1], sizes[2], sizes[3]));
  auto* frame = made(im2hands_frame_new(network, image, rows(of_hands, hands).data(), hands, of_hands.size() / hands));
  if (im2hands_frame_refine(frame, rows(anchors, hands).data(), anchors.size() / hands, sizes[4]))
    return std::printf("refused: %s\n", im2hands_error()), 2;
  int64_t each = initial.size() / hands;
  std::vector<float> first(initial.size()), second(initial.size()), moved(around.size());
  for (int hand = 0; hand < hands; ++hand) {
    im2hands_logits(frame, hand, 0, points.data() + 3 * each * hand, each, first.data() + each * hand);
    im2hands_logits(frame, hand, 1, points.data() + 3 * each * hand, each, second.data() + each * hand);
  }
  std::printf("%s, level %d\n", im2hands_instructions(), im2hands_level());
  check(furthest(first, initial) < CLOSE, "initial logits", furthest(first, initial));
  check(furthest(second, refined) < CLOSE, "refined logits", furthest(second, refined));
  for (int hand = 0; hand < hands; ++hand)
    expect(im2hands_logits_around(frame, hand, points.data() + 3 * each * hand, each, 0.001f, moved.data() + 4 * each * hand));
  check(furthest(moved, around) < CLOSE, "logits around points", furthest(moved, around));
  check(furthest(initial, refined) > 100 * CLOSE, "corrections are made", furthest(initial, refined));

  auto boxes = next<float>(), segments = next<float>(), reach = next<float>();
  size_t n = resolution + 1;
  std::vector<float> values(hands * n * n * n);
  auto* search = made(im2hands_search_new(resolution, hands, values.data()));
  if (im2hands_search_run(search, frame, 1, 0, boxes.data(), segments.data(), bones, reach[0]))
    return std::printf("refused: %s\n", im2hands_error()), 2;
  for (int hand = 0; hand < hands; ++hand) {
    auto expected = next<int64_t>();
    std::vector<int64_t> cells(im2hands_search_cells(search, hand, nullptr, 0));
    im2hands_search_cells(search, hand, cells.data(), cells.size());
    check(cells == expected && !cells.empty(), "cells of the surface", cells.size());
  }

  auto joints = next<float>();
  auto sides = next<int64_t>();
  auto frames = next<float>();
  std::vector<uint8_t> mirrored(sides.begin(), sides.end());
  std::vector<float> found(frames.size());
  im2hands_canonicalise(joints.data(), mirrored.data(), hands, found.data());
  check(furthest(found, frames) < CLOSE_FRAME, "canonical frames", furthest(found, frames));

  encoder_and_keypoints();
  close_ups();
  tokens();
  meshes(resolution);
  published_layers();
  depth_images();
  files();
  return failures ? 1 : 0;
}
