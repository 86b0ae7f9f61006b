#include "network.h"

#include "reader.h"

namespace im2hands {

bool Network::read() {
  Reader from(block);
  from.take(place, 5 * WIDTH);
  from.layer(second, second_bias, WIDTH, WIDTH);
  from.layer(attention, attention_bias, WIDTH, 3 * WIDTH);
  from.layer(output, output_bias, WIDTH, WIDTH);
  from.layer(feed_first, feed_first_bias, WIDTH, WIDTH);
  from.layer(feed_second, feed_second_bias, WIDTH, WIDTH);
  from.take(bone_first, BONES * COORDINATES * WIDTH);
  from.take(bone_second, BONES * WIDTH * WIDTH);
  from.layer(bone_third, bone_third_bias, 2 * WIDTH, WIDTH, BONES);
  from.layer(bone_fourth, bone_fourth_bias, WIDTH, WIDTH, BONES);
  from.take(bone_last, BONES * WIDTH);
  from.take(radius, BONES);
  from.take(frequency);
  from.take(image_size);
  corrects = from.left() > 0;
  if (!corrects) return from.exact();
  from.layer(ask_first, ask_first_bias, 4, WIDTH);
  from.layer(ask_second, ask_second_bias, WIDTH, WIDTH);
  from.layer(claim_first, claim_first_bias, CLAIM_INPUTS, HIDDEN);
  from.layer(claim_second, claim_second_bias, HIDDEN, HIDDEN);
  from.take(claim_last, HIDDEN);
  for (float* value : {&claim_bias, &band, &largest, &gap, &almost, &near_anchors}) from.take(*value);
  return from.exact();
}

bool Image::read() {
  Reader from(block);
  from.take(keys, static_cast<size_t>(HEADS) * HEAD * tokens);
  from.take(values, static_cast<size_t>(HEADS) * HEAD * tokens);
  from.take(pixels, static_cast<size_t>(height) * width * WIDTH);
  return from.exact();
}

bool Hand::read() {
  Reader from(block);
  from.take(side_bias, WIDTH);
  from.take(projection, 12);
  from.take(relative, 9);
  from.take(frame, BONES * 12);
  from.take(axis, BONES * 4);
  from.take(start, BONES * 3);
  from.take(direction, BONES * 3);
  from.take(length, BONES);
  from.take(floor, BONES * 2);
  from.take(first_bias, BONES * WIDTH);
  from.take(second_bias, BONES * WIDTH);
  return from.exact();
}

bool Hand::read_anchors() {
  Reader from(anchor_block);
  from.take(anchor_keys, static_cast<size_t>(HEADS) * ANCHOR_KEY * anchors);
  from.take(anchor_values, static_cast<size_t>(HEADS) * ANCHOR_KEY * anchors);
  from.take(their, static_cast<size_t>(anchors) / 2 * 3);
  from.take(other_palm, 12);
  from.take(share);
  return from.exact();
}

}  // namespace im2hands
