#include "canonical.h"

#include "geometry.h"

namespace im2hands {
namespace {

constexpr int FINGERS = 5, LEVELS = 4;
constexpr int SLOT_FINGERS[FINGERS] = {1, 2, 4, 3, 0};
constexpr double PLANE_ANGLES[3] = {0.8, 0.2, 0.2}, SPREAD_ANGLES[4] = {0.4, 0.2, 0.2, 0.2};
constexpr double ANGLE_EPS = 1e-6, LENGTH_EPS = 1e-9;

struct Angles {
  double flex, lift;
};

// Flexion about y and elevation of a bone in its own frame, clipped as published.
Angles angles_of(Vector local, bool negative_up) {
  double square = local.x * local.x + local.z * local.z;
  double horizontal = std::sqrt(std::max(square, LENGTH_EPS * LENGTH_EPS));
  double z = std::fabs(local.z) < ANGLE_EPS ? 0 : local.z;
  auto clipped = [](double cosine) { return std::acos(std::min(std::max(cosine, -1 + ANGLE_EPS), 1 - ANGLE_EPS)); };
  double flex = clipped(z / horizontal), lift = clipped(square / horizontal);
  bool below = negative_up ? local.y + ANGLE_EPS > 0 : local.y + ANGLE_EPS < 0;
  return {local.x + ANGLE_EPS < 0 ? -flex : flex, below ? -lift : lift};
}

Vector flexed_x(double flex) { return {std::cos(flex), 0, -std::sin(flex)}; }

// Rotation that maps a bone, given in its own frame, to +z.
Matrix straighten(Vector local) {
  Angles angles = angles_of(local, true);
  return rotation({0, 1, 0}, -angles.flex) * rotation(flexed_x(angles.flex), -angles.lift);
}

// A frame turned with its bone: the child's z is the bone's direction.
Matrix child_frame(const Matrix& frame, Angles angles) {
  Vector axis = transposed(frame) * flexed_x(angles.flex);
  return frame * transposed(rotation(axis, -angles.lift) * rotation(frame.row[1], angles.flex));
}

// Middle MCP on -x, palm normal on +y.
Matrix align_palm(const Vector* hand) {
  Vector middle = unit(hand[9]), index = unit(hand[5]);
  Matrix first = align(middle, {0, -1, 0});
  Matrix turned = align(first * cross(middle, index), {0, 0, 1}) * first;
  return {{turned.row[1], turned.row[2], turned.row[0]}};
}

// Rotations that set the angles between neighbouring metacarpal planes.
void normalise_planes(const Vector* root, Matrix* map) {
  Vector thumb = root[0], index = root[1], middle = root[2];
  Vector plane = cross(middle, index);
  map[0] = rotation(index, signed_angle(cross(index, thumb), plane, index) - PLANE_ANGLES[0]);
  map[1] = map[2] = IDENTITY;
  map[3] = rotation(middle, signed_angle(cross(root[3], middle), plane, middle) + PLANE_ANGLES[1]);
  Vector ring = map[3] * root[3], pinky = map[3] * root[4];
  double angle = signed_angle(cross(pinky, ring), cross(ring, middle), ring);
  map[4] = rotation(ring, angle + PLANE_ANGLES[2]) * map[3];
}

Matrix spread(Vector a, Vector b, double target, double sign) {
  Vector axis = unit(cross(a, b));
  return rotation(axis, sign * (target - signed_angle(a, b, axis)));
}

// Rotations that set the angles between neighbouring metacarpals.
void normalise_spread(const Vector* root, Matrix* map) {
  map[1] = spread(root[2], root[1], SPREAD_ANGLES[1], 1);
  map[0] = spread(map[1] * root[1], map[1] * root[0], SPREAD_ANGLES[0], 1) * map[1];
  map[2] = IDENTITY;
  map[3] = spread(root[3], root[2], SPREAD_ANGLES[2], -1);
  map[4] = spread(map[3] * root[4], map[3] * root[3], SPREAD_ANGLES[3], -1) * map[3];
}

// Frames (rows x, y, z) of each finger's first bone; z is the metacarpal.
void knuckle_frames(const Vector* root, Matrix* frame) {
  Vector between[4];
  for (int i = 0; i < 4; ++i) between[i] = unit(cross(root[i], root[i + 1]), LENGTH_EPS);
  Vector normal[FINGERS] = {between[0], between[1], 0.5 * (between[1] + between[2]), 0.5 * (between[2] + between[3]),
                            between[3]};
  for (int finger = 0; finger < FINGERS; ++finger) {
    Vector y = cross(root[finger], normal[finger]);
    frame[finger] = {{unit(cross(y, root[finger])), unit(y), root[finger]}};
  }
}

// Per level, the rotation that straightens a finger along its metacarpal.
void unpose(const Vector* bone, Matrix frame, Matrix* rotations) {
  Matrix step[LEVELS], frames[LEVELS] = {IDENTITY, frame, IDENTITY, IDENTITY};
  Angles angles = angles_of(frame * bone[1], false);
  step[1] = straighten(frame * bone[1]);
  for (int level = 2; level < LEVELS; ++level) {
    frames[level] = frame = child_frame(frame, angles);
    Vector local = frame * bone[level];
    angles = angles_of(local, false);
    step[level] = straighten(local);
  }
  // The published order of the two parent rotations differs between levels 2 and 3.
  Matrix product[LEVELS] = {IDENTITY, step[1], step[1] * step[2], (step[2] * step[1]) * step[3]};
  rotations[0] = IDENTITY;
  for (int level = 1; level < LEVELS; ++level)
    rotations[level] = transposed(frames[level]) * (product[level] * frames[level]);
}

float* put(float* to, Vector v) {
  *to++ = static_cast<float>(v.x);
  *to++ = static_cast<float>(v.y);
  *to++ = static_cast<float>(v.z);
  return to;
}
void put_pose(float* to, const Matrix& rotation, Vector translation) {
  const double t[3] = {translation.x, translation.y, translation.z};
  for (int i = 0; i < 3; ++i) *(put(to + 4 * i, rotation.row[i])) = static_cast<float>(t[i]);
}

struct Output {
  float *palm_from_hand, *wrist, *bone_from_palm, *bone_lengths, *metacarpal_from_palm, *metacarpal_lengths, *joints;

  explicit Output(float* to) : palm_from_hand(to) {
    wrist = palm_from_hand + 9;
    bone_from_palm = wrist + 3;
    bone_lengths = bone_from_palm + 16 * 12;
    metacarpal_from_palm = bone_lengths + 16;
    metacarpal_lengths = metacarpal_from_palm + 5 * 12;
    joints = metacarpal_lengths + 5;
  }
};

void bone_transforms(const Vector* joints, Output out) {
  Vector parent[FINGERS][LEVELS], bone[FINGERS][LEVELS], root[FINGERS];
  double length[FINGERS][LEVELS];
  for (int f = 0; f < FINGERS; ++f)
    for (int level = 0; level < LEVELS; ++level) {
      parent[f][level] = level ? joints[1 + 4 * f + level - 1] : Vector{0, 0, 0};
      Vector difference = joints[1 + 4 * f + level] - parent[f][level];
      length[f][level] = std::max(norm(difference), LENGTH_EPS);
      bone[f][level] = (1 / length[f][level]) * difference;
    }
  Matrix planes[FINGERS], spreads[FINGERS], frames[FINGERS];
  for (int f = 0; f < FINGERS; ++f) root[f] = bone[f][0];
  normalise_planes(root, planes);
  for (int f = 0; f < FINGERS; ++f) root[f] = planes[f] * bone[f][0];
  normalise_spread(root, spreads);
  for (int f = 0; f < FINGERS; ++f) {
    spreads[f] = spreads[f] * planes[f];
    for (Vector& each : bone[f]) each = spreads[f] * each;
    root[f] = bone[f][0];
  }
  knuckle_frames(root, frames);
  put_pose(out.bone_from_palm, IDENTITY, {0, 0, 0});
  out.bone_lengths[0] = static_cast<float>(length[2][0]);
  for (int f = 0; f < FINGERS; ++f) {
    int slot = static_cast<int>(std::find(SLOT_FINGERS, SLOT_FINGERS + FINGERS, f) - SLOT_FINGERS);
    Matrix rotations[LEVELS];
    unpose(bone[f], frames[f], rotations);
    Vector offset = {0, 0, 0};
    for (int level = 0; level < LEVELS; ++level) {
      Matrix turn = rotations[level] * spreads[f];
      float* to = level ? out.bone_from_palm + 12 * (1 + 3 * slot + level - 1) : out.metacarpal_from_palm + 12 * f;
      put_pose(to, turn, offset - turn * parent[f][level]);
      (level ? out.bone_lengths[1 + 3 * slot + level - 1] : out.metacarpal_lengths[f]) =
          static_cast<float>(length[f][level]);
      offset = offset + length[f][level] * (rotations[level] * bone[f][level]);
    }
  }
}

}  // namespace

void canonicalise(const float* joints, bool mirrored, float* to) {
  Output out(to);
  Vector hand[21];
  for (int j = 0; j < 21; ++j) hand[j] = {mirrored ? -joints[3 * j] : joints[3 * j], joints[3 * j + 1], joints[3 * j + 2]};
  Vector wrist = hand[0];
  for (Vector& joint : hand) joint = joint - wrist;
  Matrix palm = align_palm(hand);
  for (int i = 0; i < 3; ++i) put(out.palm_from_hand + 3 * i, palm.row[i]);
  put(out.wrist, wrist);
  float* next = out.joints;
  for (Vector& joint : hand) next = put(next, joint = palm * joint);
  bone_transforms(hand, out);
}

}  // namespace im2hands
