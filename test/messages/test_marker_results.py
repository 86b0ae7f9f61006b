"""The markers of a frame's meshes: triangles, colours and how long they live."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from ball_surfaces import Hands, balls
from two_hands import joints

from im2hands_ros.kernels import library
from im2hands_ros.messages.header import Header
from im2hands_ros.messages.markers import (
    LIFETIME,
    SIDE_COLOURS,
    TRIANGLE_BUCKET,
    TRIANGLE_LIST,
    draw,
    triangle_points,
    write_markers,
)
from im2hands_ros.messages.results import RESULT_TYPES, ResultEncoder
from im2hands_ros.messages.shading import shaded_colours, vertex_normals

HEADER = Header.at(1_700_000_000_000_000_001, "camera")
LEFT, RIGHT = balls(joints("left")), balls(joints("right"), confidence=0.25)
HANDS = Hands(LEFT, RIGHT)
MARKERS = RESULT_TYPES["/markers"]


def test_triangles_are_padded_to_a_constant_length_with_triangles_of_no_area():
    corners = np.asarray(triangle_points(LEFT.vertices, LEFT.triangles)).reshape(-1, 3, 3)
    count = len(LEFT.triangles)
    assert len(corners) == TRIANGLE_BUCKET
    assert np.array_equal(corners[:count], LEFT.vertices[LEFT.triangles])
    assert (corners[count:] == corners[count:, :1]).all()
    fewer = triangle_points(LEFT.vertices, LEFT.triangles[:-5])
    assert fewer.shape == corners.reshape(-1, 3).shape


def test_markers_suit_rviz_and_foxglove(parse):
    message = parse(MARKERS, write_markers(HEADER, draw(HANDS.present, 0.005), lost=[("left", 7)]))
    deletion, *markers = message.markers
    assert (deletion.action, deletion.ns, deletion.id) == (2, "left", 7)  # Marker.DELETE
    assert len({(each.ns, each.id) for each in markers}) == len(markers) == 8
    for marker in markers:
        assert marker.points
        assert len(marker.colors) == (len(marker.points) if marker.type == TRIANGLE_LIST else 0)
        assert 0 < marker.color.a <= 1
        assert marker.lifetime.sec + marker.lifetime.nanosec / 1e9 == LIFETIME
        assert marker.pose.orientation.w == 1.0
        assert marker.header.frame_id == "camera"
    meshes = [marker for marker in markers if marker.type == TRIANGLE_LIST]
    assert all(len(marker.points) % 3 == 0 for marker in meshes)
    colours = [(each.color.r, each.color.g, each.color.b) for each in meshes]
    np.testing.assert_allclose(colours, list(SIDE_COLOURS.values()), rtol=1e-6)


def test_kernels_write_the_bytes_that_numpy_writes(monkeypatch):
    kernels = library.best()
    if kernels is None:
        pytest.skip("no compiled kernels")
    drawings = draw(HANDS.present, 0.005)
    # Names of other lengths put the arrays to other addresses.
    renamed = [drawing._replace(namespace="x" * n) for n, drawing in enumerate(drawings)]
    for given in (drawings, drawings[:1], renamed):
        found = []
        for chosen in (kernels, None):
            monkeypatch.setattr(library, "chosen", lambda chosen=chosen: chosen)
            found.append(write_markers(HEADER, given))
        assert found[0] == found[1] and len(found[0]) > 100_000


def test_a_flat_mesh_brings_no_colours(parse):
    flat = parse(MARKERS, write_markers(HEADER, draw(HANDS.present, 0.005, smooth=False)))
    assert not any(len(marker.colors) for marker in flat.markers)


def test_the_kernels_shade_as_numpy_does(monkeypatch):
    kernels = library.best()
    if kernels is None:
        pytest.skip("no compiled kernels")
    mesh = (LEFT.vertices, LEFT.triangles, SIDE_COLOURS["left"])
    found = []
    for chosen in (kernels, None):
        monkeypatch.setattr(library, "chosen", lambda chosen=chosen: chosen)
        found.append(shaded_colours(*mesh))
    assert np.abs(found[0] - found[1]).max() < 1e-5
    assert np.ptp(found[0][:, 0]) > 0.1


def test_a_ball_is_shaded_by_its_true_normals_and_by_nothing_else():
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.04)
    far = ball.vertices + (0.1, -0.2, 0.6)
    normals = vertex_normals(far.astype(np.float32), ball.faces.astype(np.int32))
    assert np.degrees(np.arccos((normals.T * ball.vertices / 0.04).sum(1).min())) < 1.5
    colours = shaded_colours(far, ball.faces, (1.0, 0.5, 0.25))
    np.testing.assert_array_equal(colours[:, 3], 1.0)
    np.testing.assert_allclose(colours[:, 0], 2 * colours[:, 1], rtol=1e-6)
    lamp = ball.vertices[colours[:, 0].argmax()] / 0.04
    assert lamp[2] < -0.6 and lamp[1] < 0  # on the camera's side, above
    assert colours[:, 0].max() == pytest.approx(1.0, abs=0.01)
    assert colours[:, 0].min() == pytest.approx(0.2, abs=0.01)
    # The same place has the same colour, however the triangles run: no facets.
    np.testing.assert_allclose(
        shaded_colours(far, np.roll(ball.faces[::-1], 1, axis=1), (1.0, 0.5, 0.25)),
        colours,
        atol=1e-6,
    )


def test_the_colours_of_a_mesh_are_those_of_its_corners():
    mesh = draw({"left": LEFT}, 0.005)[0]
    each = shaded_colours(LEFT.vertices, LEFT.triangles, SIDE_COLOURS["left"])
    corners = each[LEFT.triangles].reshape(-1, 4)
    np.testing.assert_array_equal(np.asarray(mesh.colours)[: len(corners)], corners)
    assert len(mesh.colours) == len(mesh.points)


@pytest.mark.parametrize(
    ("period", "lifetime"),
    [(0.03, LIFETIME), (0.5, LIFETIME), (1.5, 4.5), (4.0, 12.0), (9.0, LIFETIME)],
)
def test_markers_live_longer_where_frames_come_slowly(parse, period, lifetime):
    encoder = ResultEncoder()
    for frame in range(4):
        stamp = Header.at(int(1e9 * (1 + frame * period)), "camera")
        found = dict(encoder.surfaces(stamp, HANDS, 0.005))
    for marker in parse(MARKERS, found["/markers"]).markers:
        assert marker.lifetime.sec + marker.lifetime.nanosec / 1e9 == pytest.approx(lifetime)


def test_a_break_or_a_clock_that_goes_back_does_not_change_how_long_markers_live():
    encoder = ResultEncoder()
    for seconds in (1.0, 1.1, 1.2, 60.0, 60.1, 5.0, 5.1):
        list(encoder.surfaces(Header.at(int(1e9 * seconds), "camera"), HANDS, 0.005))
    assert encoder.lifetime == LIFETIME


def test_nothing_is_drawn_of_an_absent_hand_or_an_empty_part():
    right = balls(joints("right"))
    right.voxels = right.voxels[:0]
    names = {each.namespace for each in draw({"right": right}, 0.005)}
    assert names == {"right", "right_keypoints"}
