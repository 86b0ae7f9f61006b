// Marching cubes with topological guarantees: Lewiner, Lopes, Vieira, Tavares, "Efficient implementation of Marching
// Cubes' cases with topological guarantees", 2003. Its tables come from outside (kernels/marching.py).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace im2hands {

// Tables of int8 in the order of marching.py's _TABLES, each as rows of the same length.
class CubeTables {
 public:
  enum Name {
    CASES, TILING1, TILING2, TILING3_1, TILING3_2, TILING4_1, TILING4_2, TILING5, TILING6_1_1, TILING6_1_2, TILING6_2,
    TILING7_1, TILING7_2, TILING7_3, TILING7_4_1, TILING7_4_2, TILING8, TILING9, TILING10_1_1, TILING10_1_1_,
    TILING10_1_2, TILING10_2, TILING10_2_, TILING11, TILING12_1_1, TILING12_1_1_, TILING12_1_2, TILING12_2,
    TILING12_2_, TILING13_1, TILING13_1_, TILING13_2, TILING13_2_, TILING13_3, TILING13_3_, TILING13_4, TILING13_5_1,
    TILING13_5_2, TILING14, TEST3, TEST4, TEST6, TEST7, TEST10, TEST12, TEST13, SUBCONFIG13, COUNT
  };
  struct Row {
    const int8_t* at;
    int length;
  };

  // Throws std::invalid_argument for what is not these tables, one after the other.
  CubeTables(const int8_t* values, int64_t count);

  Row row(Name name, int config, int entry = 0) const {
    const Table& table = tables_[name];
    return {values_.data() + table.first + (config * table.entries + entry) * table.length, table.length};
  }
  int number(Name name, int config, int place = 0) const { return row(name, config).at[place]; }

 private:
  struct Table {
    int first, entries, length;
  };
  bool consistent() const;

  std::vector<int8_t> values_;
  Table tables_[COUNT];
};

// What a cell's corners v[8] (positive inside; 0: x y z, 1: x+1, 2: x+1 y+1, 3: y+1, 4 to 7: the same with z+1) are
// triangulated to: numbers of edges, three a triangle, 12 for the cell's centre.
CubeTables::Row triangles_of(const CubeTables& tables, const double* v);

// The surface in the listed cells of a lattice of values.
class Marching {
 public:
  explicit Marching(CubeTables tables) : tables_(std::move(tables)) {}

  // values (n, n, n), n = resolution + 1; cells: sorted low corners (x n + y) n + z. Values nearer to the threshold than
  // `clearance` of the mean distance at the cells' low corners count as that far.
  void run(const float* values, int resolution, const int64_t* cells, int64_t count, float threshold, double clearance);

  // Leave out components of less than this share of the largest one's volume.
  void keep_large(double share);

  std::vector<float> vertices;     // (V, 3) lattice units
  std::vector<int32_t> triangles;  // (T, 3)
  std::vector<float> left_out;     // (L, 3, 3) corners of the triangles that were left out

 private:
  void enter_layer(int x);
  void add_cell(const double* v, const int* at);
  int vertex_on(int edge, const double* v, const int* at);

  CubeTables tables_;
  int side_ = 0, layer_ = 0;
  // Vertices on the edges of lattice points of this layer and the next: along z, along y, along x, in the cell.
  std::vector<int> known_[2], touched_[2];
};

}  // namespace im2hands
