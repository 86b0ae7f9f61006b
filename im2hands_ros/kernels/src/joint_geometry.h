// What keypoint networks read of the joints' places: networks/compact/joint_features.py.
#pragma once

#include "keypoints.h"

namespace im2hands {

constexpr float STEP_UNIT = 0.01f;  // metres per unit of the networks' steps
constexpr int PARENTS[JOINTS] = {0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19};

// Axes of both palms as columns, [2][3][3], those of the left hand mirrored.
void palms_of(const JointPair& hands, float* palms);

// [42][GEOMETRY]; palms [2][3][3], k: intrinsics [3][3].
void geometry_of(const JointPair& hands, const float* palms, const float* k, float* to);

// log(1 + exp(x))
float soft_plus(float x);

}  // namespace im2hands
