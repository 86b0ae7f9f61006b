// What a mesh's vertices have, for each corner of its triangles.
#include <cstring>

#include "mesh.h"

namespace im2hands {

namespace {

// COLUMNS numbers of a vertex, written as Number. The destination lies in a message, at any address.
template <class Number, int COLUMNS>
void write(const float* values, const int32_t* triangles, int64_t corners, int64_t rows, char* out) {
  for (int64_t i = 0; i < rows; ++i, out += COLUMNS * sizeof(Number)) {
    const float* from = values + int64_t(COLUMNS) * triangles[i < corners ? i : 0];
    Number row[COLUMNS];
    for (int column = 0; column < COLUMNS; ++column) row[column] = from[column];
    std::memcpy(out, row, sizeof row);
  }
}

}  // namespace

void corner_points(const float* vertices, const int32_t* triangles, int64_t corners, int64_t rows, char* out) {
  write<double, 3>(vertices, triangles, corners, rows, out);
}

void corner_colours(const float* colours, const int32_t* triangles, int64_t corners, int64_t rows, char* out) {
  write<float, 4>(colours, triangles, corners, rows, out);
}

}  // namespace im2hands
