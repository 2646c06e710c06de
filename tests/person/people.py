"""Drawn people as small crops, folders of them, a network that tells them by colour, bad pictures.

Every figure is the same each time: identity gives the colours of hair, shirt and trousers, camera
the light, view the place in the picture and the noise.
"""

import colorsys
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image as Pillow

SIZE_HW = (64, 32)
INPUT_HW = (256, 128)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CELLS_HW = (8, 2)
UNUSABLE = ("empty.jpg", "text.jpg", "tiny.png", "truncated.jpg")
"""Of the bad pictures, those that no embedding can come from."""


def figure(identity, camera=1, view=0):
    """uint8 (64, 32, 3), BGR: a person from head to foot."""
    rng = np.random.default_rng((identity, camera, view))
    light = np.random.default_rng((9, camera))
    hues = (identity * 0.618 + np.array([0.0, 0.33, 0.6]) * (1 + identity % 3)) % 1
    hair, shirt, trousers = (
        np.array(colorsys.hsv_to_rgb(hue, 0.9, value)[::-1]) * 255
        for hue, value in zip(hues, (0.4, 0.9, 0.7), strict=True)
    )
    left, top = 8 + int(rng.integers(-2, 3)), int(rng.integers(-2, 3))
    image = np.full((*SIZE_HW, 3), light.uniform(90, 150), np.float64)
    image[max(0, 3 + top) : 8 + top, left + 4 : left + 12] = hair
    image[8 + top : 14 + top, left + 5 : left + 11] = (140, 170, 220)
    image[14 + top : 38 + top, left : left + 16] = shirt
    image[38 + top : 62 + top, left + 2 : left + 14] = trousers
    image *= light.uniform(0.85, 1.1) * light.uniform(0.93, 1.07, 3)
    image += rng.normal(0, 6, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def save(path, image):
    """Writes a picture, its folder made when missing; the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done, coded = cv2.imencode(path.suffix, image)
    assert done
    path.write_bytes(coded.tobytes())
    return path


def market(folder, *, identities=4, cameras=3, views=2):
    """A Market-1501 layout: query/ has one picture of each person a camera; the folder.

    bounding_box_test/ has the other views, one junk picture (-1) and one distractor (0000) a
    camera.
    """
    for camera in range(1, cameras + 1):
        for identity in range(1, identities + 1):
            for view in range(views + 1):
                part = "bounding_box_test" if view else "query"
                name = f"{identity:04d}_c{camera}s1_{100 * identity + view:06d}_{view:02d}.jpg"
                save(folder / part / name, figure(identity, camera, view))
        for name, drawn in (("-1", 70), ("0000", 80)):
            name = f"{name}_c{camera}s1_{900 + camera:06d}_00.jpg"
            save(folder / "bounding_box_test" / name, figure(drawn + camera, camera))
    return folder


def id_folders(folder, *, identities=3, views=2, suffix=".png"):
    """Folders ``person_1/``, ``person_2/``, each of pictures ``1.png``, ``2.png``; their folder."""
    for identity in range(1, identities + 1):
        for view in range(1, views + 1):
            path = folder / f"person_{identity}" / f"{view}{suffix}"
            save(path, figure(identity, 1 + view % 2, view))
    return folder


def cells(image):
    """float64 (48,): the mean colours of a figure in 8 x 2 cells, as ``colour_onnx`` sees them."""
    rows, columns = CELLS_HW
    height, width = SIZE_HW[0] // rows, SIZE_HW[1] // columns
    means = image[..., ::-1].reshape(rows, height, columns, width, 3).mean((1, 3)) / 255
    return ((means - MEAN) / STD).transpose(2, 0, 1).ravel()


def colour_onnx(path):
    """Writes an encoder that knows people by colour, and FILE.json beside it; the path.

    It takes (B, 3, 256, 128) and gives (B, 48), less what all figures have in common.
    """
    common = np.mean([cells(figure(number)) for number in range(1, 30)], axis=0)
    kernel = [INPUT_HW[0] // CELLS_HW[0], INPUT_HW[1] // CELLS_HW[1]]
    graph = helper.make_graph(
        [
            helper.make_node(
                "AveragePool", ["image"], ["cells"], kernel_shape=kernel, strides=kernel
            ),
            helper.make_node("Flatten", ["cells"], ["flat"]),
            helper.make_node("Sub", ["flat", "common"], ["embedding"]),
        ],
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, *INPUT_HW])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", len(common)])],
        [numpy_helper.from_array(common.astype(np.float32)[None], "common")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    spec = {"size_hw": INPUT_HW, "colour": "rgb", "scale": 255.0, "mean": MEAN, "std": STD}
    beside = path.with_name(f"{path.name}.json")
    beside.write_text(json.dumps({"input": spec | {"resize": "bilinear"}}))
    return path


def bad_pictures(folder):
    """The paths, by name, of pictures that go wrong easily; ``UNUSABLE`` names the hopeless."""
    folder.mkdir(parents=True, exist_ok=True)
    image = figure(1)
    rgb = Pillow.fromarray(image[..., ::-1])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("no picture at all")
    whole = save(folder / "truncated.jpg", cv2.resize(image, (128, 256)))
    whole.write_bytes(whole.read_bytes()[:1500])
    save(folder / "tiny.png", image[:1, :1])
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    grey = np.asarray(rgb.convert("L")).astype(np.uint16) * 257
    Pillow.fromarray(grey).save(folder / "sixteen_bit.png")
    clear = rgb.convert("RGBA")
    clear.putalpha(Pillow.new("L", clear.size, 128))
    clear.save(folder / "alpha.png")
    exif = Pillow.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    rgb.rotate(90, expand=True).save(folder / "rotated.png", exif=exif)
    save(folder / "wide.png", np.full((40, 20_000, 3), 90, np.uint8))
    return {path.name: Path(path) for path in sorted(folder.iterdir())}
