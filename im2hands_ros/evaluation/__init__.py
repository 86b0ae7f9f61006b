"""How good and how fast: metrics, baselines, and the commands that report them."""
