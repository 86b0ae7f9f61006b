// Which triangulation a cell has: its case by the signs of the corners, and by tests where these leave a choice.
#include <cstdlib>
#include <stdexcept>

#include "marching.h"

namespace im2hands {
namespace {

constexpr double TINY = 1e-7;

// Does the positive part of an ambiguous face hang together? A negative face number asks for the negative part.
bool face_connects(const double* v, int face) {
  static const int CORNERS[6][4] = {{0, 4, 5, 1}, {1, 5, 6, 2}, {2, 6, 7, 3}, {3, 7, 4, 0}, {0, 3, 2, 1}, {4, 7, 6, 5}};
  const int* corner = CORNERS[(face < 0 ? -face : face) - 1];
  double a = v[corner[0]], saddle = a * v[corner[2]] - v[corner[1]] * v[corner[3]];
  if (saddle > -TINY && saddle < TINY) return face >= 0;
  return face * a * saddle >= 0;
}

// Values where a plane across the cell meets the four edges that are parallel to `edge`.
void cut(const double* v, int edge, double* at) {
  // Ends of the edge; of the others, one beside, opposite, and on the other side.
  static const int ENDS[12][2] = {{0, 1}, {1, 2}, {2, 3}, {3, 0}, {4, 5}, {5, 6}, {6, 7}, {7, 4}, {0, 4}, {1, 5}, {2, 6}, {3, 7}};
  static const int OTHERS[12][6] = {{3, 2, 7, 6, 4, 5}, {0, 3, 4, 7, 5, 6}, {1, 0, 5, 4, 6, 7}, {2, 1, 6, 5, 7, 4},
                                    {7, 6, 3, 2, 0, 1}, {4, 7, 0, 3, 1, 2}, {5, 4, 1, 0, 2, 3}, {6, 5, 2, 1, 3, 0},
                                    {3, 7, 2, 6, 1, 5}, {0, 4, 3, 7, 2, 6}, {1, 5, 0, 4, 3, 7}, {2, 6, 1, 5, 0, 4}};
  double first = v[ENDS[edge][0]], share = first / (first - v[ENDS[edge][1]] + TINY);
  at[0] = 0;
  for (int i = 0; i < 3; ++i) {
    double low = v[OTHERS[edge][2 * i]];
    at[i + 1] = low + (v[OTHERS[edge][2 * i + 1]] - low) * share;
  }
}

bool decide(const double* at, int sign) {
  int positive = (at[0] >= 0) + 2 * (at[1] >= 0) + 4 * (at[2] >= 0) + 8 * (at[3] >= 0);
  double saddle = at[0] * at[2] - at[1] * at[3];
  switch (positive) {
    case 7: case 11: case 13: case 14: case 15: return sign < 0;
    case 5: return saddle < TINY ? sign > 0 : false;
    case 10: return saddle >= TINY ? sign > 0 : false;
    default: return sign > 0;
  }
}

// Are opposite corners connected through the cell? By the plane in which its cut is a saddle.
bool connected_inside(const double* v, int sign) {
  double a = (v[4] - v[0]) * (v[6] - v[2]) - (v[7] - v[3]) * (v[5] - v[1]);
  double b = v[2] * (v[4] - v[0]) + v[0] * (v[6] - v[2]) - v[1] * (v[7] - v[3]) - v[3] * (v[5] - v[1]);
  double height = -b / (2 * a + TINY);
  if (height < 0 || height > 1) return sign > 0;
  const int order[4] = {0, 3, 2, 1};
  double at[4];
  for (int i = 0; i < 4; ++i) at[i] = v[order[i]] + (v[order[i] + 4] - v[order[i]]) * height;
  return decide(at, sign);
}

// The same by a plane through a vertex on an edge.
bool connected_across(const double* v, int edge, int sign) {
  double at[4];
  cut(v, edge, at);
  return decide(at, sign);
}

using T = CubeTables;

// Cases 10 and 12: two ambiguous faces.
T::Row of_two_faces(const T& t, const double* v, int config, T::Name test, T::Name both, T::Name first, T::Name second,
                    bool inside, T::Name apart, T::Name tunnel) {
  bool one = face_connects(v, t.number(test, config, 0)), other = face_connects(v, t.number(test, config, 1));
  if (one || other) return t.row(one && other ? both : one ? first : second, config);
  int sign = t.number(test, config, 2);
  bool connected = inside ? connected_inside(v, sign) : connected_across(v, t.number(test, config, 3), sign);
  return t.row(connected ? apart : tunnel, config);
}

// Three ambiguous faces.
T::Row of_case_7(const T& t, const double* v, int config) {
  int faces = 0;
  for (int i = 0; i < 3; ++i) faces |= face_connects(v, t.number(T::TEST7, config, i)) << i;
  switch (faces) {
    case 0: return t.row(T::TILING7_1, config);
    case 1: return t.row(T::TILING7_2, config, 0);
    case 2: return t.row(T::TILING7_2, config, 1);
    case 3: return t.row(T::TILING7_3, config, 0);
    case 4: return t.row(T::TILING7_2, config, 2);
    case 5: return t.row(T::TILING7_3, config, 1);
    case 6: return t.row(T::TILING7_3, config, 2);
  }
  bool connected = connected_across(v, t.number(T::TEST7, config, 4), t.number(T::TEST7, config, 3));
  return t.row(connected ? T::TILING7_4_2 : T::TILING7_4_1, config);
}

// Six ambiguous faces.
T::Row of_case_13(const T& t, const double* v, int config) {
  int faces = 0;
  for (int i = 0; i < 6; ++i) faces |= face_connects(v, t.number(T::TEST13, config, i)) << i;
  int kind = t.number(T::SUBCONFIG13, faces);
  if (kind <= 0) return t.row(T::TILING13_1, config);
  if (kind < 7) return t.row(T::TILING13_2, config, kind - 1);
  if (kind < 19) return t.row(T::TILING13_3, config, kind - 7);
  if (kind < 23) return t.row(T::TILING13_4, config, kind - 19);
  if (kind < 27) {
    int entry = kind - 23, edge = t.row(T::TILING13_5_1, config, entry).at[0];
    bool connected = connected_across(v, edge, t.number(T::TEST13, config, 6));
    return t.row(connected ? T::TILING13_5_1 : T::TILING13_5_2, config, entry);
  }
  if (kind < 39) return t.row(T::TILING13_3_, config, kind - 27);
  if (kind < 45) return t.row(T::TILING13_2_, config, kind - 39);
  return t.row(T::TILING13_1_, config);
}

}  // namespace

namespace {

struct Shape {
  int rows, entries, length;
  int faces, edge;  // of a table of tests: so many numbers of faces, and where the number of an edge is, or -1
};
constexpr Shape SHAPES[CubeTables::COUNT] = {
    {256, 1, 2, 0, -1}, {16, 1, 3, 0, -1}, {24, 1, 6, 0, -1}, {24, 1, 6, 0, -1}, {24, 1, 12, 0, -1},   // to 3_2
    {8, 1, 6, 0, -1}, {8, 1, 18, 0, -1}, {48, 1, 9, 0, -1}, {48, 1, 9, 0, -1}, {48, 1, 27, 0, -1},     // to 6_1_2
    {48, 1, 15, 0, -1}, {16, 1, 9, 0, -1}, {16, 3, 15, 0, -1}, {16, 3, 27, 0, -1}, {16, 1, 15, 0, -1}, // to 7_4_1
    {16, 1, 27, 0, -1}, {6, 1, 6, 0, -1}, {8, 1, 12, 0, -1}, {6, 1, 12, 0, -1}, {6, 1, 12, 0, -1},     // to 10_1_1_
    {6, 1, 24, 0, -1}, {6, 1, 24, 0, -1}, {6, 1, 24, 0, -1}, {12, 1, 12, 0, -1}, {24, 1, 12, 0, -1},   // to 12_1_1
    {24, 1, 12, 0, -1}, {24, 1, 24, 0, -1}, {24, 1, 24, 0, -1}, {24, 1, 24, 0, -1}, {2, 1, 12, 0, -1}, // to 13_1
    {2, 1, 12, 0, -1}, {2, 6, 18, 0, -1}, {2, 6, 18, 0, -1}, {2, 12, 30, 0, -1}, {2, 12, 30, 0, -1},   // to 13_3_
    {2, 4, 36, 0, -1}, {2, 4, 18, 0, -1}, {2, 4, 30, 0, -1}, {12, 1, 12, 0, -1}, {24, 1, 1, 1, -1},    // to TEST3
    {8, 1, 1, 0, -1}, {48, 1, 3, 1, 2}, {16, 1, 5, 3, 4}, {6, 1, 3, 2, -1}, {24, 1, 4, 2, 3},          // to TEST12
    {2, 1, 7, 6, -1}, {64, 1, 1, 0, -1}};
constexpr int CONFIGURATIONS[15] = {1, 16, 24, 24, 8, 48, 48, 16, 6, 8, 6, 12, 24, 2, 12};

bool between(int value, int low, int high) { return value >= low && value <= high; }

}  // namespace

CubeTables::CubeTables(const int8_t* values, int64_t count) {
  int64_t size = 0;
  for (int i = 0; i < COUNT; ++i) {
    tables_[i] = {static_cast<int>(size), SHAPES[i].entries, SHAPES[i].length};
    size += SHAPES[i].rows * SHAPES[i].entries * SHAPES[i].length;
  }
  if (count != size) throw std::invalid_argument("the tables are not as many values as those of marching cubes");
  values_.assign(values, values + count);
  if (!consistent()) throw std::invalid_argument("a value of the tables is not one of marching cubes");
}

// Whatever a lookup gives is a row of a table, a face or an edge.
bool CubeTables::consistent() const {
  bool fits = true;
  for (int index = 0; index < 256; ++index) {
    int of = number(CASES, index, 0);
    fits &= between(of, 0, 14) && (!of || between(number(CASES, index, 1), 0, CONFIGURATIONS[of] - 1));
  }
  for (int i = TILING1; i <= TILING14; ++i)
    for (int k = 0; k < SHAPES[i].rows * SHAPES[i].entries * SHAPES[i].length; ++k)
      fits &= between(values_[tables_[i].first + k], 0, 12);
  for (int i = TEST3; i <= TEST13; ++i)
    for (int config = 0; config < SHAPES[i].rows; ++config) {
      for (int k = 0; k < SHAPES[i].faces; ++k) fits &= between(std::abs(number(Name(i), config, k)), 1, 6);
      if (SHAPES[i].edge >= 0) fits &= between(number(Name(i), config, SHAPES[i].edge), 0, 11);
    }
  for (int faces = 0; faces < 64; ++faces) fits &= number(SUBCONFIG13, faces) <= 45;
  for (int i = 0; i < 8; ++i) fits &= row(TILING13_5_1, i / 4, i % 4).at[0] < 12;
  return fits;
}

CubeTables::Row triangles_of(const CubeTables& t, const double* v) {
  int index = 0;
  for (int k = 0; k < 8; ++k) index |= (v[k] > 0) << k;
  int config = t.number(T::CASES, index, 1);
  switch (t.number(T::CASES, index, 0)) {
    case 1: return t.row(T::TILING1, config);
    case 2: return t.row(T::TILING2, config);
    case 3: return t.row(face_connects(v, t.number(T::TEST3, config)) ? T::TILING3_2 : T::TILING3_1, config);
    case 4: return t.row(connected_inside(v, t.number(T::TEST4, config)) ? T::TILING4_1 : T::TILING4_2, config);
    case 5: return t.row(T::TILING5, config);
    case 6: {
      if (face_connects(v, t.number(T::TEST6, config, 0))) return t.row(T::TILING6_2, config);
      bool connected = connected_across(v, t.number(T::TEST6, config, 2), t.number(T::TEST6, config, 1));
      return t.row(connected ? T::TILING6_1_1 : T::TILING6_1_2, config);
    }
    case 7: return of_case_7(t, v, config);
    case 8: return t.row(T::TILING8, config);
    case 9: return t.row(T::TILING9, config);
    case 10:
      return of_two_faces(t, v, config, T::TEST10, T::TILING10_1_1_, T::TILING10_2, T::TILING10_2_, true,
                          T::TILING10_1_1, T::TILING10_1_2);
    case 11: return t.row(T::TILING11, config);
    case 12:
      return of_two_faces(t, v, config, T::TEST12, T::TILING12_1_1_, T::TILING12_2, T::TILING12_2_, false,
                          T::TILING12_1_1, T::TILING12_1_2);
    case 13: return of_case_13(t, v, config);
    case 14: return t.row(T::TILING14, config);
    default: return {nullptr, 0};
  }
}

}  // namespace im2hands
