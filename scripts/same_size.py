"""Fail unless all the pictures named on the command line have the same size."""

import sys

from PIL import Image

sizes = {}
for name in sys.argv[1:]:
    with Image.open(name) as image:
        image.load()
        sizes[name] = image.size
print(*(f"{name}: {width} × {height}" for name, (width, height) in sizes.items()), sep="\n")
sys.exit(0 if len(set(sizes.values())) == 1 else "the sizes differ")
