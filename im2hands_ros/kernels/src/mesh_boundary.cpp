// The C interface of surfaces: marching cubes, and what is done with meshes.
#include <algorithm>
#include <cmath>

#include "boundary.h"
#include "kernels.h"
#include "marching.h"
#include "mesh.h"

using namespace im2hands;

struct im2hands_mesher : Marching {
  using Marching::Marching;
};

namespace {

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

}  // namespace

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
