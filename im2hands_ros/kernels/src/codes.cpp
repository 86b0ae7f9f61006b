// Image codes: where a point is seen, the image's features there, and the tokens it attends to.
#include "field.h"

namespace im2hands {
namespace {

// The four pixels around each point, and their weights.
struct Corners {
  int offset[4][TILE];
  float weight[4][TILE];

  void set(int lane, float x, float y, int width, int height) {
    int left = static_cast<int>(x), top = static_cast<int>(y);
    int right = left + 1 < width ? left + 1 : width - 1, bottom = top + 1 < height ? top + 1 : height - 1;
    float across = x - left, down = y - top;
    put(0, lane, top * width + left, (1 - across) * (1 - down));
    put(1, lane, top * width + right, across * (1 - down));
    put(2, lane, bottom * width + left, (1 - across) * down);
    put(3, lane, bottom * width + right, across * down);
  }
  void put(int corner, int lane, int pixel, float share) {
    offset[corner][lane] = pixel * WIDTH;
    weight[corner][lane] = share;
  }
};

INLINE Floats row_of(const float* row, Floats x, Floats y, Floats z) { return row[0] * x + row[1] * y + row[2] * z; }

// Relative place (3) and crop position (2) of a tile [3][TILE], and the pixels around.
void project(const Network& network, const Hand& hand, const float* points, float* place, Corners& corners) {
  for (int p = 0; p < TILE; p += LANES) {
    Floats x = load(points + p), y = load(points + TILE + p), z = load(points + 2 * TILE + p);
    const float* m = hand.projection;
    Floats depth = larger(row_of(m + 8, x, y, z) + m[11], all(1e-3f));
    Floats across = (row_of(m, x, y, z) + m[3]) / depth, down = (row_of(m + 4, x, y, z) + m[7]) / depth;
    float scale = 2.0f / network.image_size, shift = 1.0f / network.image_size - 1.0f;
    across = within(across * scale + shift, -2.0f, 2.0f);
    down = within(down * scale + shift, -2.0f, 2.0f);
    for (int i = 0; i < 3; ++i) store(place + i * TILE + p, row_of(hand.relative + 3 * i, x, y, z));
    store(place + 3 * TILE + p, across);
    store(place + 4 * TILE + p, down);
    const Image& image = *hand.image;
    float width = image.width, height = image.height;
    Floats column = within(((across + 1.0f) * width - 1.0f) * 0.5f, 0.0f, width - 1.0f);
    Floats row = within(((down + 1.0f) * height - 1.0f) * 0.5f, 0.0f, height - 1.0f);
    for (int l = 0; l < LANES; ++l) corners.set(p + l, column[l], row[l], image.width, image.height);
  }
}

// The image's features between pixels: [WIDTH][TILE].
void sample(const Image& image, const Corners& corners, float* features) {
  alignas(64) float rows[TILE * WIDTH];
  const float* row[TILE];
  for (int l = 0; l < TILE; ++l) {
    row[l] = rows + l * WIDTH;
    for (int c = 0; c < WIDTH; c += LANES) {
      Floats sum = {};
      for (int k = 0; k < 4; ++k) sum += corners.weight[k][l] * load(image.pixels + corners.offset[k][l] + c);
      store(rows + l * WIDTH + c, sum);
    }
  }
  to_tile(row, WIDTH, features);
}

// One head: query, key, value [HEAD][TILE] of the points; attended [HEAD][TILE].
void attend(const Image& image, int head, const float* query, const float* key, const float* value, float* attended) {
  int tokens = image.tokens;
  alignas(64) float scores[(MOST_TOKENS + 1) * TILE], scale[TILE];
  layer<After::NOTHING>(image.keys + head * HEAD * tokens, nullptr, query, HEAD, tokens, scores);
  float* own = scores + tokens * TILE;
  for (int p = 0; p < TILE; p += LANES) {
    Floats sum = {};
    for (int i = 0; i < HEAD; ++i) sum += load(query + i * TILE + p) * load(key + i * TILE + p);
    store(own + p, sum);
  }
  weights_of(scores, tokens + 1, scale);
  layer<After::NOTHING>(image.values + head * tokens * HEAD, nullptr, scores, tokens, HEAD, attended);
  for (int i = 0; i < HEAD * TILE; i += LANES) {
    int p = i % TILE;
    store(attended + i, (load(attended + i) + load(own + p) * load(value + i)) * load(scale + p));
  }
}

}  // namespace

void image_codes(const Network& network, const Hand& hand, const float* points, float* rows) {
  alignas(64) float place[5 * TILE], a[WIDTH * TILE], b[WIDTH * TILE], c[3 * WIDTH * TILE];
  Corners corners;
  project(network, hand, points, place, corners);
  sample(*hand.image, corners, a);
  layer<After::ADD>(network.place, hand.side_bias, place, 5, WIDTH, a);
  for (int i = 0; i < WIDTH * TILE; i += LANES) store(a + i, larger(load(a + i), Floats{}));
  layer<After::NOTHING>(network.second, network.second_bias, a, WIDTH, WIDTH, b);
  normalise(b, WIDTH, a);
  layer<After::NOTHING>(network.attention, network.attention_bias, a, WIDTH, 3 * WIDTH, c);
  for (int head = 0; head < HEADS; ++head) {
    const float* query = c + head * HEAD * TILE;
    attend(*hand.image, head, query, query + WIDTH * TILE, query + 2 * WIDTH * TILE, a + head * HEAD * TILE);
  }
  layer<After::ADD>(network.output, network.output_bias, a, WIDTH, WIDTH, b);
  normalise(b, WIDTH, a);
  layer<After::RELU>(network.feed_first, network.feed_first_bias, a, WIDTH, WIDTH, c);
  layer<After::ADD>(network.feed_second, network.feed_second_bias, c, WIDTH, WIDTH, b);
  to_rows(b, WIDTH, rows);
}

}  // namespace im2hands
