// Keypoints of a hand to its canonical frames: canonical.py.
#pragma once

namespace im2hands {

// Floats of a hand in CanonicalHands, in the order of its attributes without `mirrored`.
constexpr int CANONICAL = 9 + 3 + 16 * 12 + 16 + 5 * 12 + 5 + 21 * 3;

void canonicalise(const float* joints, bool mirrored, float* out);

}  // namespace im2hands
