// Vectors and rotations in float64, as canonical.py computes them.
#pragma once

#include <algorithm>
#include <cmath>

namespace im2hands {

struct Vector {
  double x, y, z;
};
struct Matrix {
  Vector row[3];
};

inline Vector operator+(Vector a, Vector b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vector operator-(Vector a, Vector b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vector operator*(double s, Vector a) { return {s * a.x, s * a.y, s * a.z}; }
inline double dot(Vector a, Vector b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vector cross(Vector a, Vector b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
inline double norm(Vector a) { return std::sqrt(dot(a, a)); }
inline Vector unit(Vector a, double least = 1e-8) { return (1 / std::max(norm(a), least)) * a; }

inline Vector operator*(const Matrix& m, Vector a) { return {dot(m.row[0], a), dot(m.row[1], a), dot(m.row[2], a)}; }
inline Matrix transposed(const Matrix& m) {
  const Vector *r = m.row;
  return {{{r[0].x, r[1].x, r[2].x}, {r[0].y, r[1].y, r[2].y}, {r[0].z, r[1].z, r[2].z}}};
}
inline Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix columns = transposed(b);
  return {{columns * a.row[0], columns * a.row[1], columns * a.row[2]}};
}
constexpr Matrix IDENTITY = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};

// About a unit axis (Rodrigues).
inline Matrix rotation(Vector axis, double angle) {
  Matrix skew = {{{0, -axis.z, axis.y}, {axis.z, 0, -axis.x}, {-axis.y, axis.x, 0}}};
  Matrix square = skew * skew, result = IDENTITY;
  double sine = std::sin(angle), versine = 1 - std::cos(angle);
  for (int i = 0; i < 3; ++i) result.row[i] = result.row[i] + (sine * skew.row[i] + versine * square.row[i]);
  return result;
}

// Angle between vectors, accurate near 0 and pi (Kahan).
inline double angle_between(Vector a, Vector b) {
  a = unit(a);
  b = unit(b);
  double opening = norm(a - b), closing = norm(a + b);
  return 2 * std::atan2(opening, opening + closing > 0 ? closing : 1);
}
inline double signed_angle(Vector a, Vector b, Vector reference) {
  double angle = angle_between(a, b);
  return dot(reference, cross(a, b)) < 0 ? -angle : angle;
}
// The smallest rotation from the direction of a to that of b.
inline Matrix align(Vector a, Vector b) { return rotation(unit(cross(a, b)), angle_between(a, b)); }

}  // namespace im2hands
