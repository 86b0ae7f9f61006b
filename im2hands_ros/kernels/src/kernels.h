// What the library offers to Python (ctypes) or C. All arrays are contiguous float32 unless said otherwise.
//
// Functions return a count or 0, and a negative number when they refuse; im2hands_error() then says why, in words
// for the calling thread. Sizes and pointers are checked, coordinates that are not finite are refused, and no C++
// exception leaves. Objects belong to one thread at a time.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#define IM2HANDS_API __attribute__((visibility("default")))

typedef struct im2hands_network im2hands_network;
typedef struct im2hands_image im2hands_image;
typedef struct im2hands_frame im2hands_frame;
typedef struct im2hands_search im2hands_search;
typedef struct im2hands_blocks im2hands_blocks;
typedef struct im2hands_encoder im2hands_encoder;
typedef struct im2hands_mesher im2hands_mesher;
typedef struct im2hands_keypoints im2hands_keypoints;
typedef struct im2hands_closeups im2hands_closeups;
typedef struct im2hands_attention im2hands_attention;
typedef struct im2hands_decoder im2hands_decoder;

// Number of this interface; the caller refuses another one.
IM2HANDS_API int im2hands_version(void);

// What this library is compiled for: "baseline", "x86-64-v3" or "x86-64-v4".
IM2HANDS_API const char* im2hands_instructions(void);

// The best of these that the processor has: 1 (baseline), 3 or 4.
IM2HANDS_API int im2hands_level(void);

// Why the last call of this thread refused.
IM2HANDS_API const char* im2hands_error(void);

// Threads that work from now on, the calling one among them: 1..256.
IM2HANDS_API int im2hands_threads(int count);

// Weights of the compact networks, copied: `count` floats in the order of struct Network (network.h), with the
// refinement's or without. NULL when the count fits neither.
IM2HANDS_API im2hands_network* im2hands_network_new(const float* block, int64_t count);
IM2HANDS_API void im2hands_network_free(im2hands_network* network);

// What is read of a crop, copied: `count` floats in the order of struct Image, of image features (height, width, 32) and
// `tokens` image tokens. NULL if refused.
IM2HANDS_API im2hands_image* im2hands_image_new(const float* block, int64_t count, int height, int width, int tokens);
IM2HANDS_API void im2hands_image_free(im2hands_image* image);

// A frame of 1 or 2 hands in an image, copied. blocks: per hand `count` floats in the order of struct Hand up to
// `second_bias`. The network and the image must outlive it. NULL if refused.
IM2HANDS_API im2hands_frame* im2hands_frame_new(const im2hands_network* network, const im2hands_image* image,
                                                const float* const* blocks, int hands, int64_t count);
IM2HANDS_API void im2hands_frame_free(im2hands_frame* frame);

// The hands' anchors, copied: per hand `count` floats in the order of struct Hand from `anchor_keys` on, of `anchors`
// anchors, own ones first and as many of the other hand's. From here on the frame may be asked for refined logits.
IM2HANDS_API int im2hands_frame_refine(im2hands_frame* frame, const float* const* blocks, int64_t count, int anchors);

// Logits (count), millimetres of depth, of points (count, 3) in the palm frame (metres) of hand 0 or 1; refined or
// initial. Coordinates beyond 100 m are refused.
IM2HANDS_API int im2hands_logits(const im2hands_frame* frame, int hand, int refined, const float* points, int64_t count,
                                 float* out);

// Initial logits (count, 4) of points (count, 3) and of those moved by `step` metres along x, y and z; what a point's logit
// has of the image is the same for all four.
IM2HANDS_API int im2hands_logits_around(const im2hands_frame* frame, int hand, const float* points, int64_t count,
                                        float step, float* out);

// A search of `hands` boxes of 16..512 cells a side. values (hands, n, n, n), n = resolution + 1, outlive it: every
// run writes what it knows there, and a constant below the threshold elsewhere.
IM2HANDS_API im2hands_search* im2hands_search_new(int resolution, int hands, float* values);
IM2HANDS_API void im2hands_search_free(im2hands_search* search);

// Find the surfaces of all of a frame's hands at a threshold (logit). boxes (hands, 4): origin in the palm frame and
// side, metres. segments (hands, count, 2, 3): bones in the boxes' coordinates; reach, of them, in the same unit.
IM2HANDS_API int im2hands_search_run(im2hands_search* search, const im2hands_frame* frame, int refined,
                                     float threshold, const float* boxes, const float* segments, int count, float reach);

// The cells of a hand that the surface passes through: low corners (x n + y) n + z, sorted, at most `room`. Returns
// how many there are.
IM2HANDS_API int64_t im2hands_search_cells(const im2hands_search* search, int hand, int64_t* into, int64_t room);

// Points that each round of the last run evaluated for a hand, at most `room`. Returns how many rounds there were.
IM2HANDS_API int im2hands_search_rounds(const im2hands_search* search, int hand, int* into, int room);

// Which vertices (vertex_count, 3) belong to components of at least `share` of the largest one's volume; triangles
// (triangle_count, 3) int32, closed, counter-clockwise from outside. keep (vertex_count) 0 or 1. Returns how many
// components are kept, and writes how many there are into `found`.
IM2HANDS_API int im2hands_components(const float* vertices, int64_t vertex_count, const int32_t* triangles,
                                     int64_t triangle_count, double share, uint8_t* keep, int* found);

// Centres (room, 3) of the distinct voxels of side `size` that hold part of the layer half a voxel under a surface,
// sorted by x, y, z; vertices and size in metres. Returns how many there are, also when that is more than `room`.
IM2HANDS_API int64_t im2hands_voxels(const float* vertices, int64_t vertex_count, const int32_t* triangles,
                                     int64_t triangle_count, double size, float* centres, int64_t room);

// Canonical frames of hands (canonical.py): joints (hands, 21, 3), MANO order, metres; mirrored (hands), not 0 for left
// hands. out (hands, 348): CanonicalHands' attributes but the last, one after the other.
IM2HANDS_API int im2hands_canonicalise(const float* joints, const uint8_t* mirrored, int hands, float* out);

// Self-attention blocks (networks/attention.py) of a width, 4..256 and a multiple of 4, and heads; `count` floats of
// all `blocks` in the order of struct Block (blocks.h), copied. NULL when they do not fit.
IM2HANDS_API im2hands_blocks* im2hands_blocks_new(const float* block, int64_t count, int blocks, int width, int heads);
IM2HANDS_API void im2hands_blocks_free(im2hands_blocks* blocks);

// tokens (sequences, count, width) of at most 1024 tokens, in place. mask (sequences, count): 0 for tokens that are not
// attended to, at least one is; null for none.
IM2HANDS_API int im2hands_blocks_run(const im2hands_blocks* blocks, float* tokens, int sequences, int count,
                                     const uint8_t* mask);

// The image encoder (networks/compact/image_encoder.py) of images of a side, a multiple of 192 up to 1536; `count` floats
// in the order of Encoder::read (encoder.h), copied. NULL when they do not fit.
IM2HANDS_API im2hands_encoder* im2hands_encoder_new(const float* block, int64_t count, int side);
IM2HANDS_API void im2hands_encoder_free(im2hands_encoder* encoder);

// An image (side, side, 3), RGB in [0, 1], to features (side / 4, side / 4, 32), context (side / 32, side / 32, 192) and
// joints (42, side / 4, side / 4).
IM2HANDS_API int im2hands_encoder_run(im2hands_encoder* encoder, const float* image, float* features, float* context,
                                      float* joints);

// The keypoint refinement (networks/compact/keypoint_refinement.py); `count` floats in the order of
// KeypointNetwork::read (keypoints.cpp), copied. NULL when they do not fit.
IM2HANDS_API im2hands_keypoints* im2hands_keypoints_new(const float* block, int64_t count);
IM2HANDS_API void im2hands_keypoints_free(im2hands_keypoints* network);

// Refined hands of a frame. pixels (48, 48, 32), context (36, 192), heat (42, 48, 48): as the encoder makes them.
// intrinsics (3, 3) of the crop. joints (2, 21, 3) and present (2), at least one of them, are replaced; spread (2, 21)
// metres; swapped: the logit that left and right were swapped.
IM2HANDS_API int im2hands_keypoints_run(const im2hands_keypoints* network, const float* pixels, const float* context,
                                        const float* heat, const float* intrinsics, float* joints, uint8_t* present,
                                        float* spread, float* swapped);

// The refinement by close-ups (networks/compact/close_up_refinement.py); `count` floats in the order of
// CloseUpNetwork::read (close_up_network.cpp), copied. NULL when they do not fit.
IM2HANDS_API im2hands_closeups* im2hands_closeups_new(const float* block, int64_t count);
IM2HANDS_API void im2hands_closeups_free(im2hands_closeups* network);

// Refined hands of a frame. image (rows, columns, 3) RGB; of the close-ups in it pixels (42, 2), axes (42, 2, 2) and step (2).
// given (42, 3): the tracker's joints. joints (42, 3): those that the close-ups are around, replaced; spread (42) metres.
IM2HANDS_API int im2hands_closeups_run(const im2hands_closeups* network, const uint8_t* image, int rows, int columns,
                                       const float* pixels, const float* axes, const float* step, const float* given,
                                       const uint8_t* present, float* joints, float* spread);

// Marching cubes; `count` numbers of the tables in the order of CubeTables (marching.h), copied. NULL if refused.
IM2HANDS_API im2hands_mesher* im2hands_mesher_new(const int8_t* tables, int64_t count);
IM2HANDS_API void im2hands_mesher_free(im2hands_mesher* mesher);

// The surface in the listed cells (sorted) of a lattice of values (n, n, n), n = resolution + 1, without components of less
// than `share` of the largest one's volume. Values nearer to the threshold than `clearance` of the mean distance at the
// cells count as that far. sizes (3): how many vertices there are, triangles, and triangles that were left out. Returns the
// first of them, 0 without a surface.
IM2HANDS_API int64_t im2hands_mesher_run(im2hands_mesher* mesher, const float* values, int resolution,
                                         const int64_t* cells, int64_t count, float threshold, double clearance,
                                         double share, int64_t* sizes);

// The last run's vertices (V, 3), lattice units, triangles (T, 3), counter-clockwise from outside, and corners (L, 3, 3) of
// what was left out.
IM2HANDS_API int im2hands_mesher_copy(const im2hands_mesher* mesher, float* vertices, int32_t* triangles, float* left_out);

// Colours (vertices, 4), red, green, blue and alpha, of a mesh's vertices as a lamp in the unit direction `lamp` (3) lights
// their normals, weighted by area: colour (3) times darkest + (1 - darkest) (1/2 + cosine / 2)^2.
IM2HANDS_API int im2hands_shade(const float* vertices, int64_t vertex_count, const int32_t* triangles,
                                int64_t triangle_count, const float* lamp, const float* colour, float darkest,
                                float* colours);

// The values (vertices, columns) of each corner of a mesh's triangles in turn, then those of the first corner, `rows` in
// all: 3 columns become double (points), 4 stay float (colours). out needs no alignment.
IM2HANDS_API int im2hands_corners(const float* values, int64_t vertex_count, int columns, const int32_t* triangles,
                                  int64_t triangle_count, int64_t rows, void* out);

// 0 for a JPEG file whose entropy-coded data holds its blocks and nothing else, 1 for one that is not looked at: no
// baseline JPEG, or without its own Huffman tables.
IM2HANDS_API int im2hands_jpeg(const uint8_t* data, int64_t length);

// Attention with a weight per channel (networks/paper/vector_attention.py) of a width, a multiple of 16 up to 1024; `count`
// floats in the order of VectorAttention::read (vector_attention.cpp), copied. NULL when they do not fit.
IM2HANDS_API im2hands_attention* im2hands_attention_new(const float* block, int64_t count, int width);
IM2HANDS_API void im2hands_attention_free(im2hands_attention* attention);

// out (count, width) of points (count, 3) with queries (count, width), or null where the one query of all is in the keys.
// near (count, neighbours), 1 to 1024 of them: numbers in a cloud of `size` positions (size, 3), keys and values (size,
// width), both with what depends on them alone. whole (2, width): score and value of one more neighbour of all, or null.
IM2HANDS_API int im2hands_attention_run(const im2hands_attention* attention, const float* cloud, const float* keys,
                                        const float* values, int size, const float* points, const float* queries,
                                        const int32_t* near, int64_t count, int neighbours, const float* whole,
                                        float* out);

// Numbers (count, neighbours) of the nearest of positions (size, 3) to each of the centres (count, 3), nearest first.
IM2HANDS_API int im2hands_nearest(const float* centres, int64_t count, const float* positions, int size, int neighbours,
                                  int32_t* out);

// The published articulated decoder (networks/paper/decoder.py) of some bones, a width, and `image` features with a one
// at the end, both a multiple of 4; `count` floats in the order of PaperDecoder::read (paper_decoder.cpp), copied. NULL
// when they do not fit.
IM2HANDS_API im2hands_decoder* im2hands_decoder_new(const float* block, int64_t count, int bones, int width, int image);
IM2HANDS_API void im2hands_decoder_free(im2hands_decoder* decoder);

// Logits (count) of points (count, 3) with image features (count, image); first (bones, 4, width): a hand's first layers.
IM2HANDS_API int im2hands_decoder_run(const im2hands_decoder* decoder, const float* first, const float* points,
                                      const float* image, int64_t count, float* out);

// Of a depth image (height, width), metres, the pixels on grids in `count` boxes (count, 5) int32: first column and row, the
// last ones + 1, step; they lie a pixel inside of the image, and what lies in the box before is left out. A pixel's depth is
// the mean of those of the nine around it that differ from it by less than step + share of it, at least `least` of them.
// places (room, 2) int32 columns and rows, mean and deviation of the mean (room) float64. Returns how many there are.
IM2HANDS_API int64_t im2hands_known_pixels(const float* depth, int height, int width, const int32_t* boxes, int count,
                                           double step, double share, int least, int32_t* places, double* mean,
                                           double* deviation, int64_t room);

// All arrays of the following are float64 unless said otherwise.

// Depths along z (rows, count), infinite where they miss, at which rays (count, 3), z = 1, meet the first of spheres of
// radii (rows, spheres) about centres (spheres, 3), metres. A radius of 0: no sphere.
IM2HANDS_API int im2hands_fronts(const double* rays, int64_t count, const double* centres, int spheres,
                                 const double* radii, int rows, double* out);

// The likeliest of the tried steps (steps), metres, of each of 1 or 2 hands: best (hands) int32. depth (count), metres, at
// pixels that show a hand with probability shown (count), near sides limb and core (hands, count), infinite where missed.
// chances (7): struct Chances (skin.h).
IM2HANDS_API int im2hands_best_steps(const double* depth, const double* limb, const double* core, int hands,
                                     const double* shown, int64_t count, const double* tried, int steps,
                                     const double* chances, int32_t* best);

// Of points (count, 3) the nearest bone of joints (21, 3), MANO order, metres: how far along it, share (count), and its two
// joints, ends (count, 2) int32.
IM2HANDS_API int im2hands_attach(const double* points, int64_t count, const double* joints, double* share,
                                 int32_t* ends);

// A Gauss-Newton step of amounts (modes) of modes (21, 3, modes), displacements of the joints, each with a prior of zero
// mean and deviation 1. Points on bones (share, ends: im2hands_attach) move with their joints; distance, weight (count) and
// normal (count, 3): how far they are outside of the surface when the amounts are as given.
IM2HANDS_API int im2hands_skin_step(const double* share, const int32_t* ends, const double* distance,
                                    const double* normal, const double* weight, int64_t count, const double* modes,
                                    int modes_count, double* amounts);

#ifdef __cplusplus
}
#endif
