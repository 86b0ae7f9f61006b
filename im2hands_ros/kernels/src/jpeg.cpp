// Whether the entropy-coded data of a JPEG file is whole: what libjpeg decodes all the same, with grey or shifted blocks.
// Nothing is decoded: Huffman codes are read and blocks are counted.
#include <algorithm>
#include <cstdint>

#include "boundary.h"
#include "kernels.h"

namespace im2hands {
namespace {

constexpr int MOST_LEFT = 16;  // bytes after the last block of a piece; some cameras leave a few
constexpr int LARGEST_MEAN = 1100;  // of a block, eight times as many steps of 255 as grey, rounded with some room

struct Broken {
  const char* why;
};

struct Codes {
  bool there = false;
  int first[17], last[17], place[17];  // by length: the first code, that after the last, and where their values begin
  uint8_t values[256];
};

struct Component {
  int id = 0, wide = 0, high = 0, quantisation = 0, dc = 0, ac = 0, predicted = 0;
};

// The bits of a scan from one marker to the next.
class Bits {
 public:
  Bits(const uint8_t* at, const uint8_t* end) : at(at), end(end) {}

  int take(int count) {
    int value = 0;
    while (count--) value = 2 * value + bit();
    return value;
  }

  int value(const Codes& codes) {
    for (int length = 1, code = 0; length <= 16; ++length) {
      code = 2 * code + bit();
      if (code < codes.last[length] && code >= codes.first[length])
        return codes.values[(codes.place[length] + code - codes.first[length]) & 255];
    }
    throw Broken{"holds a code that is none"};
  }

  // On to the next marker, which is returned without being passed.
  int marker() {
    left = 0;
    int behind = 0;
    for (; !is_marker(); ++at) behind += *at != 0 && *at != 0xff;
    if (behind > MOST_LEFT) throw Broken{"goes on behind its last block"};
    return at[1];
  }

  const uint8_t* at;

 private:
  bool is_marker() const {
    if (end - at < 2) throw Broken{"has no end"};
    return at[0] == 0xff && at[1] != 0 && at[1] != 0xff;
  }

  int bit() {
    if (!left) {
      if (is_marker()) throw Broken{"ends before its last block"};
      byte = *at++;
      if (byte == 0xff) ++at;  // the zero after it
      left = 8;
    }
    return byte >> --left & 1;
  }

  const uint8_t* end;
  int byte = 0, left = 0;
};

class File {
 public:
  File(const uint8_t* data, int64_t length) : at(data), end(data + length) {}

  // Whether it is of a kind that is read here; Broken where a scan is.
  bool is_read() {
    if (end - at < 4 || at[0] != 0xff || at[1] != 0xd8) return false;
    at += 2;
    for (;;) {
      while (end - at >= 2 && at[0] == 0xff && at[1] == 0xff) ++at;
      if (end - at < 2 || at[0] != 0xff) return false;
      int kind = at[1];
      if (kind == 0xd9) return scans > 0;
      if (end - at < 4) return false;
      int length = at[2] << 8 | at[3];
      if (length < 2 || length > end - at - 2) return false;
      const uint8_t *body = at + 4, *after = at + 2 + length;
      at = after;
      if (kind == 0xc0 || kind == 0xc1) {
        if (!frame(body, after)) return false;
      } else if (kind == 0xc4) {
        if (!tables(body, after)) return false;
      } else if (kind == 0xdb) {
        if (!quantisations(body, after)) return false;
      } else if ((kind & 0xf0) == 0xc0 && kind != 0xc8) {
        return false;  // progressive, lossless, arithmetic
      } else if (kind == 0xdd) {
        interval = after - body < 2 ? 0 : body[0] << 8 | body[1];
      } else if (kind == 0xda) {
        if (!scan(body, after)) return false;
      }
    }
  }

 private:
  bool frame(const uint8_t* body, const uint8_t* after) {
    if (after - body < 6 || body[0] != 8) return false;
    height = body[1] << 8 | body[2], width = body[3] << 8 | body[4], count = body[5];
    if (!height || !width || count < 1 || count > 4 || after - body < 6 + 3 * count) return false;
    for (int c = 0; c < count; ++c) {
      const uint8_t* given = body + 6 + 3 * c;
      components[c] = {given[0], given[1] >> 4, given[1] & 15, given[2] & 3};
      if (components[c].wide < 1 || components[c].wide > 4 || components[c].high < 1 || components[c].high > 4) return false;
      widest = std::max(widest, components[c].wide), highest = std::max(highest, components[c].high);
    }
    return true;
  }

  bool quantisations(const uint8_t* body, const uint8_t* after) {
    while (after - body >= 65) {
      bool words = body[0] >> 4;
      if (words && after - body < 129) return false;
      steps[body[0] & 3] = words ? body[1] << 8 | body[2] : body[1];
      body += words ? 129 : 65;
    }
    return body == after;
  }

  bool tables(const uint8_t* body, const uint8_t* after) {
    while (after - body >= 17) {
      Codes& codes = known[body[0] >> 4 & 1][body[0] & 3];
      int code = 0, place = 0;
      for (int length = 1; length <= 16; ++length) {
        codes.first[length] = code, codes.place[length] = place;
        code += body[length], place += body[length];
        codes.last[length] = code;
        code *= 2;
      }
      body += 17;
      if (place > 256 || place > after - body) return false;
      std::copy(body, body + place, codes.values);
      codes.there = true;
      body += place;
    }
    return body == after;
  }

  bool scan(const uint8_t* body, const uint8_t* after) {
    int used = after > body ? body[0] : 0;
    if (!count || used < 1 || used > count || after - body < 4 + 2 * used) return false;
    Component* of[4];
    for (int c = 0; c < used; ++c) {
      const uint8_t* given = body + 1 + 2 * c;
      auto found = std::find_if(components, components + count, [&](const Component& each) { return each.id == given[0]; });
      if (found == components + count) return false;
      found->dc = given[1] >> 4 & 3, found->ac = given[1] & 3;
      if (!known[0][found->dc].there || !known[1][found->ac].there) return false;  // a camera that leaves out the usual ones
      of[c] = found;
    }
    auto blocks = [](int pixels, int share, int shares) { return ((pixels * share + shares - 1) / shares + 7) / 8; };
    auto all = [&](int pixels, int shares) { return (pixels + 8 * shares - 1) / (8 * shares); };
    bool alone = used == 1;
    int64_t units = alone ? int64_t(blocks(width, of[0]->wide, widest)) * blocks(height, of[0]->high, highest)
                          : int64_t(all(width, widest)) * all(height, highest);
    Bits bits(at, end);
    begin(of, used);
    for (int64_t unit = 0; unit < units; ++unit) {
      if (interval && unit && unit % interval == 0) {
        if (bits.marker() != 0xd0 + (unit / interval - 1) % 8) throw Broken{"lacks a restart marker, or has one too many"};
        bits.at += 2;
        begin(of, used);
      }
      for (int c = 0; c < used; ++c)
        for (int times = alone ? 1 : of[c]->wide * of[c]->high; times > 0; --times) block(bits, *of[c]);
    }
    bits.marker();
    at = bits.at;
    return ++scans > 0;
  }

  static void begin(Component** of, int used) {
    for (int c = 0; c < used; ++c) of[c]->predicted = 0;
  }

  void block(Bits& bits, Component& component) {
    int size = bits.value(known[0][component.dc]);
    if (size > 11) throw Broken{"holds a code that is none"};
    int change = bits.take(size);
    component.predicted += size && change < 1 << (size - 1) ? change - (1 << size) + 1 : change;
    int step = steps[component.quantisation];
    if (std::abs(component.predicted) * int64_t(step) > LARGEST_MEAN + step)
      throw Broken{"holds a brightness beyond black and white"};
    const Codes& codes = known[1][component.ac];
    for (int k = 1; k < 64; ++k) {
      int value = bits.value(codes), zeros = value >> 4, length = value & 15;
      if (!length && zeros < 15) break;
      k += zeros;
      if (k > 63) throw Broken{"holds a block of more than 64 values"};
      bits.take(length);
    }
  }

  const uint8_t *at, *end;
  int width = 0, height = 0, count = 0, widest = 1, highest = 1, interval = 0, scans = 0;
  int steps[4] = {};
  Component components[4];
  Codes known[2][4];
};

}  // namespace
}  // namespace im2hands

int im2hands_jpeg(const uint8_t* data, int64_t length) {
  using namespace im2hands;
  if (!data || length < 0) return refuse("the file is null or of negative length");
  try {
    return File(data, length).is_read() ? 0 : 1;
  } catch (const Broken& broken) {
    return refuse(broken.why);
  }
}
