"""Make a small animation for a page out of a film, as ``im2hands track --video`` writes it.

python tools/animation.py overlay.mp4 docs/images/track.webp --width 400 --rate 7.5
"""

import argparse
from pathlib import Path

import cv2
from PIL import Image


def frames_of(film: Path, every: int, width: int) -> list[Image.Image]:
    """One of so many frames, of this width."""
    reader, found, number = cv2.VideoCapture(str(film)), [], 0
    while reader.grab():
        if number % every == 0:
            picture = cv2.cvtColor(reader.retrieve()[1], cv2.COLOR_BGR2RGB)
            height = round(width * picture.shape[0] / picture.shape[1])
            small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
            found.append(Image.fromarray(small))
        number += 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("film", type=Path, help="video file")
    parser.add_argument("out", type=Path, help=".webp or .gif file to write")
    parser.add_argument("--width", type=int, default=400, help="pixels (400)")
    parser.add_argument("--rate", type=float, default=7.5, help="frames per second at most (7.5)")
    parser.add_argument("--quality", type=int, default=55, help="of .webp, 0 to 100 (55)")
    args = parser.parse_args()
    rate = cv2.VideoCapture(str(args.film)).get(cv2.CAP_PROP_FPS)
    every = max(1, round(rate / args.rate)) if rate > 0 else 1
    frames = frames_of(args.film, every, args.width)
    if not frames:
        raise SystemExit(f"{args.film}: no frame can be read: give a video file")
    options = {"quality": args.quality, "method": 6} if args.out.suffix == ".webp" else {}
    frames[0].save(
        args.out,
        save_all=True,
        append_images=frames[1:],
        duration=round(1000 * every / rate),
        loop=0,
        **options,
    )
    print(f"{args.out}: {len(frames)} frames, {args.out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
