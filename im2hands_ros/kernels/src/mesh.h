// What is done with a surface once it is found.
#pragma once

#include <cstdint>

namespace im2hands {

// As im2hands_components, im2hands_voxels and im2hands_shade (kernels.h), of checked vertices and triangles.
int large_components(const float* vertices, int64_t vertex_count, const int32_t* triangles, int64_t triangle_count,
                     double share, uint8_t* keep, int* found);
int64_t voxels_under(const float* vertices, const int32_t* triangles, int64_t triangle_count, double size,
                     float* centres, int64_t room);

void shade(const float* vertices, int64_t vertex_count, const int32_t* triangles, int64_t triangle_count,
           const float* lamp, const float* colour, float darkest, float* colours);

// (rows, 3) double of the triangles' corners, then of the first corner again; (rows, 4) float of their colours.
void corner_points(const float* vertices, const int32_t* triangles, int64_t corners, int64_t rows, char* out);
void corner_colours(const float* colours, const int32_t* triangles, int64_t corners, int64_t rows, char* out);

}  // namespace im2hands
