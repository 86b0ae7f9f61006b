// Weights of the compact networks, and what they know of a frame's image and hands before a query point.
// Each comes as one block of floats whose parts follow each other in the order of the members below.
#pragma once

#include <cstdint>
#include <vector>

namespace im2hands {

constexpr int BONES = 20, HEADS = 2, HEAD = 16;
constexpr int WIDTH = 32;        // image features, query tokens and the bones' layers
constexpr int COORDINATES = 11;  // inputs of a bone's first layer
constexpr int HIDDEN = 64;       // of a claim
constexpr int ANCHOR_KEY = 20;   // a head's channels and four for the place
constexpr int CLAIM_INPUTS = 2 * WIDTH + 3 * HEADS + 1;
constexpr int MOST_TOKENS = 256, MOST_ANCHORS = 1024;

struct Network {
  const float *place;                              // [5][32] query layer: relative place (3), crop position (2)
  const float *second, *second_bias;               // [32][32]
  const float *attention, *attention_bias;         // [32][96] query, key, value; norm and scale folded in
  const float *output, *output_bias;               // [32][32]
  const float *feed_first, *feed_first_bias;       // [32][32] norm folded in
  const float *feed_second, *feed_second_bias;     // [32][32]
  const float *bone_first;                         // [20][11][32]
  const float *bone_second;                        // [20][32][32] identity added
  const float *bone_third, *bone_third_bias;       // [20][64][32] of 32 channels and the image code's 32
  const float *bone_fourth, *bone_fourth_bias;     // [20][32][32] identity added
  const float *bone_last;                          // [20][32]
  const float *radius;                             // [20] of the capsules, metres
  float frequency;                                 // of the coordinates' waves, per 2 cm
  float image_size;                                // side of the crop, pixels
  // Of the refinement; `corrects` is false without it.
  bool corrects;
  const float *ask_first, *ask_first_bias;         // [4][32]
  const float *ask_second, *ask_second_bias;       // [32][32]
  const float *claim_first, *claim_first_bias;     // [71][64]
  const float *claim_second, *claim_second_bias;   // [64][64]
  const float *claim_last;                         // [64]
  float claim_bias;
  float band, largest, gap, almost;                // millimetres, as in RefinedOccupancy
  float near_anchors;                              // metres

  std::vector<float> block;
  bool read();  // set the members from the block; false when its size does not fit
};

// The image that all hands of a frame are seen in.
struct Image {
  const float *keys;               // [2][16][tokens]
  const float *values;             // [2][tokens][16]
  const float *pixels;             // [height][width][32] image features after the query layer
  int height, width, tokens;

  std::vector<float> block;
  bool read();
};

struct Hand {
  const Image* image;
  const float *side_bias;          // [32] bias of the query layer, the hand's side in it
  const float *projection;         // [3][4] palm frame (metres) to homogeneous pixels
  const float *relative;           // [3][3] palm frame to the query's relative place
  const float *frame;              // [20][12] rotation rows and translation into a bone's frame
  const float *axis;               // [20][4] how far along a bone: axis . point + shift
  const float *start;              // [20][3] palm frame
  const float *direction;          // [20][3] in the bone's frame
  const float *length;             // [20] metres
  const float *floor;              // [20][2] least radius of the flesh at a bone's start and end, metres
  const float *first_bias, *second_bias;  // [20][32]
  // Of the refinement: own anchors first, then as many of the other hand's.
  int anchors;
  const float *anchor_keys;        // [2][20][anchors]
  const float *anchor_values;      // [2][anchors][20]
  const float *their;              // [anchors / 2][3] the other hand's, in this palm frame
  const float *other_palm;         // [3][4] this palm frame to the other hand's
  float share;                     // of the corrections

  std::vector<float> block, anchor_block;
  bool read();
  bool read_anchors();
};

// The hands of a frame; two hands are each other's partners.
struct Frame {
  const Network* network;
  std::vector<Hand> hands;
  bool refined = false;

  bool accompanied() const { return hands.size() == 2; }
  const Hand& partner(int hand) const { return hands[hands.size() - 1 - hand]; }
};

}  // namespace im2hands
