"""The ray tracer: geometry against analytic spheres, shadows, ids, overlays."""

import numpy as np
import pytest
import trimesh

from im2hands_ros.camera import Camera
from im2hands_ros.synthetic.raytracing import RayScene, plain_part, vertex_normals
from im2hands_ros.synthetic.renderer import (
    render,
    render_hands,
    render_hands_over,
    render_hands_turned,
)
from im2hands_ros.synthetic.shading import Light, Quality, Receiver

CAMERA = Camera(160, 120, 200.0, 200.0, 71.3, 62.8)
CENTRE, RADIUS = np.array([0.05, -0.03, 0.6]), 0.08
NO_SMOOTHING = Quality(smoothing=1)


def sphere(centre=CENTRE, radius=RADIUS) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return (mesh.vertices + centre).astype(np.float32), np.asarray(mesh.faces)


def analytic_silhouette(camera: Camera, centre: np.ndarray, radius: float) -> np.ndarray:
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack(
        [(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], -1
    )
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    along = rays @ centre
    return centre @ centre - along**2 < radius**2


def test_sphere_covers_its_analytic_silhouette_to_one_pixel():
    _, ids = render([plain_part(*sphere(), (0.8, 0.6, 0.5), 3)], CAMERA)
    assert set(np.unique(ids)) == {-1, 3}
    smaller = analytic_silhouette(CAMERA, CENTRE, RADIUS * 0.98)
    larger = analytic_silhouette(CAMERA, CENTRE, RADIUS * 1.02)
    seen = ids == 3
    assert seen[smaller].all()
    assert not seen[~larger].any()
    wrong = seen != analytic_silhouette(CAMERA, CENTRE, RADIUS)
    assert wrong.sum() <= 8


def test_nearer_part_hides_the_farther_one():
    near, far = sphere(CENTRE * 0.6, 0.02), sphere()
    _, ids = render([plain_part(*far, (1, 0, 0), 1), plain_part(*near, (0, 1, 0), 2)], CAMERA)
    hidden = analytic_silhouette(CAMERA, CENTRE * 0.6, 0.0195)
    assert (ids[hidden] == 2).all()
    assert (ids == 1).sum() > 500


def test_side_towards_the_light_is_brighter_and_the_far_side_lies_in_shadow():
    light = Light(direction=(-1, 0, -0.2), fill_colour=(0, 0, 0), spread=0.0)
    image, ids = render([plain_part(*sphere(), (0.8, 0.8, 0.8))], CAMERA, light)
    u = np.nonzero(ids[60 - 8] == 0)[0]
    row = image[60 - 8].mean(axis=1)
    assert row[u[4]] > 1.5 * row[u[-5]]


def test_blocker_casts_its_shadow_on_the_part_behind_it():
    wall_vertices = np.float32([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])
    wall = plain_part(wall_vertices, np.array([[0, 2, 1], [0, 3, 2]]), (0.9, 0.9, 0.9), 0)
    ball_centre = np.array([0.0, 0.0, 0.8])
    ball = plain_part(*sphere(ball_centre, 0.05), (0.9, 0.9, 0.9), 1)
    light = Light(direction=(-1, 0, -1), fill_colour=(0, 0, 0), spread=0.0)
    image, _ = render([wall, ball], CAMERA, light, quality=NO_SMOOTHING)
    # The ball's centre line meets the wall 0.2 m along the light: x = 0.2, z = 1.
    (shadow,) = np.rint(CAMERA.project(np.array([[0.2, 0, 1.0]]))).astype(int)
    (opposite,) = np.rint(CAMERA.project(np.array([[-0.2, 0, 1.0]]))).astype(int)
    assert image[shadow[1], shadow[0]].mean() < 0.75 * image[opposite[1], opposite[0]].mean()


def test_receiver_plane_darkens_the_background_behind_the_part():
    grey = np.full((120, 160, 3), 200, np.uint8)
    light = Light(direction=(-1, 0, -1), spread=0.0)
    ball = plain_part(*sphere(np.array([0.0, 0.0, 0.8]), 0.05), (0.9, 0.9, 0.9))
    image, _ = render([ball], CAMERA, light, grey, Receiver((0, 0, 1), 1.0, 0.6))
    (shadow,) = np.rint(CAMERA.project(np.array([[0.2, 0, 1.0]]))).astype(int)
    assert image[shadow[1], shadow[0]].mean() < 150
    assert (image[:, :40] == 200).all()


def test_silhouette_is_antialiased():
    image, _ = render(
        [plain_part(*sphere(), (1, 1, 1))], CAMERA, Light(sky=(1, 1, 1), ground=(1, 1, 1))
    )
    edge = analytic_silhouette(CAMERA, CENTRE, RADIUS * 1.02) & ~analytic_silhouette(
        CAMERA, CENTRE, RADIUS * 0.98
    )
    values = image[edge].mean(axis=1)
    assert ((values > 20) & (values < 200)).mean() > 0.2


def test_empty_scene_gives_back_the_background():
    grey = np.full((120, 160, 3), 77, np.uint8)
    image, ids = render([], CAMERA, background=grey)
    assert (image == grey).all()
    assert (ids == -1).all()


def test_part_outside_the_picture_changes_nothing():
    grey = np.full((120, 160, 3), 77, np.uint8)
    away = plain_part(*sphere(np.array([5.0, 0, 0.6])), (1, 1, 1))
    image, ids = render([away], CAMERA, background=grey)
    assert (image == grey).all()
    assert (ids == -1).all()


def test_part_around_the_camera_is_drawn_without_fault():
    image, ids = render([plain_part(*sphere(np.zeros(3), 0.3), (1, 1, 1))], CAMERA)
    assert (ids == 0).all()
    assert image.shape == (120, 160, 3)


def test_distorted_camera_is_refused_with_a_remedy():
    bent = Camera(160, 120, 200.0, 200.0, 80, 60, "plumb_bob", (0.1, 0, 0, 0))
    with pytest.raises(ValueError, match="undistort"):
        render([], bent)


def test_background_of_another_size_is_refused():
    with pytest.raises(ValueError, match="background"):
        render([], CAMERA, background=np.zeros((10, 10, 3), np.uint8))


def test_vertex_normals_of_a_sphere_point_outward():
    vertices, triangles = sphere()
    outward = (vertices - CENTRE) / RADIUS
    assert ((vertex_normals(vertices, triangles) * outward).sum(axis=1) > 0.999).all()


def test_hits_lie_on_the_sphere():
    scene = RayScene([plain_part(*sphere(), (1, 1, 1))])
    directions = np.float32([CENTRE / CENTRE[2], [0, 0.9, 1]])
    cast = scene.cast(directions)
    assert cast.hit.tolist() == [True, False]
    expected = np.linalg.norm(CENTRE) - RADIUS
    found = cast.distance[0] * np.linalg.norm(directions[0])
    assert found == pytest.approx(expected, abs=2e-4)


def test_overlay_keeps_the_picture_outside_the_meshes():
    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    drawn = render_hands_over(picture, {"left": sphere()}, CAMERA, alpha=1.0)
    outside = ~analytic_silhouette(CAMERA, CENTRE, RADIUS * 1.05)
    assert np.abs(drawn[outside].astype(int) - picture[outside]).max() <= 1
    assert np.abs(drawn[~outside].astype(int) - picture[~outside]).mean() > 10


def test_hands_on_neutral_ground_take_their_sides_colours():
    left, right = sphere(np.array([-0.15, 0, 0.6]), 0.05), sphere(np.array([0.15, 0, 0.6]), 0.05)
    image = render_hands({"left": left, "right": right}, CAMERA).astype(int)
    (a, b) = np.rint(CAMERA.project(np.array([[-0.15, 0, 0.6], [0.15, 0, 0.6]]))).astype(int)
    assert image[a[1], a[0], 2] > image[a[1], a[0], 0] + 40
    assert image[b[1], b[0], 0] > image[b[1], b[0], 2] + 40


def test_turned_hands_fit_the_picture_and_show_their_other_side():
    left, right = sphere(np.array([-0.1, 0, 0.6]), 0.05), sphere(np.array([0.1, 0, 0.6]), 0.05)
    hands = {"left": left, "right": right}
    picture = render_hands_turned(hands, 200, (25.0, 50.0))
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    assert (edge == edge[0]).all()
    assert (picture != edge[0]).any(axis=2).mean() > 0.1
    behind = render_hands_turned(hands, 200, (180.0, 0.0)).astype(int)
    blue = np.flatnonzero((behind[..., 2] > behind[..., 0] + 40).any(0))
    orange = np.flatnonzero((behind[..., 0] > behind[..., 2] + 40).any(0))
    assert orange.max() < blue.min()
    assert (render_hands_turned({}, 64, (0.0, 0.0)) == 238).all()
