"""From an occupancy field to a surface: coarse-to-fine search, marching cubes, occupied voxels."""
