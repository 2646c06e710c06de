"""``python -m benchmarks synthetic``: how fast people are drawn, against the plain way.

The plain way is what anny and moderngl give without further thought: anny's own forward pass for
each picture, the whole body drawn once for every layer of clothes, a framebuffer with four samples
a pixel, read back picture by picture, without clothes being cut, a place, or a camera's faults.
Both sides draw on one core, in turn, each in a process of its own.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.pairs import Ratio, alternate, median_ratio, show
from everyid.config import build
from everyid.device import cpu_threads
from everyid.settings import single_threaded

CROP_WH = (160, 320)
LAYERS = 7
CAMERAS, PICTURES = 6, 4
CACHE = tempfile.TemporaryDirectory(prefix="everyid-bench-")
"""What anny and warp keep, until this process ends."""


def main(arguments: list[str]) -> int:
    """Runs the comparisons, or one timed side of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks synthetic")
    parser.add_argument("--identities", type=int, help="a round: 8; a set of --quality: 200")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds")
    parser.add_argument("--minutes", type=float, default=0.25, help="of footage")
    parser.add_argument("--side", choices=("plain", "everyid"), help=argparse.SUPPRESS)
    parser.add_argument("--quality", action="store_true", help="how good, not how fast")
    parser.add_argument(
        "--clips", type=Path, nargs="+", default=[], help="real videos to compare --quality with"
    )
    parser.add_argument("--output", type=Path, help="folder for what --quality makes")
    options = parser.parse_args(arguments)
    options.identities = options.identities or (200 if options.quality else 8)
    if options.quality:
        from benchmarks.synthetic_quality import measure_quality

        measure_quality(options)
        return 0
    if options.side:
        _serve(options.side, options.identities)
        return 0
    _compare(options)
    return 0


def _compare(options: argparse.Namespace) -> None:
    pictures = options.identities * CAMERAS * PICTURES
    with Side("everyid", options.identities) as ours, Side("plain", options.identities) as theirs:
        mine, others = alternate(ours.run, theirs.run, rounds=options.rounds)
    crops = Ratio(
        name="crops/s of one core against anny's forward pass and a draw a layer",
        goal=">= 4",
        ours=mine,
        theirs=others,
        value=median_ratio(others, mine),
        facts={
            "ours_crops_per_s": round(pictures / statistics.median(mine), 1),
            "theirs_pictures_per_s": round(pictures / statistics.median(others), 1),
        },
    )
    footage = _footage(options.minutes)
    show("synthetic", {"cores": cpu_threads(), **footage}, [crops])


def _footage(minutes: float) -> dict[str, object]:
    """Frames a second of a small site with all cores, its videos and truth included."""
    from synthetic.config import FootageConfig
    from synthetic.footage import make_footage

    with tempfile.TemporaryDirectory() as folder:
        run = make_footage(
            build(
                FootageConfig,
                cameras=2,
                people=24,
                minutes=minutes,
                seed=5,
                output=Path(folder) / "site",
            )
        )
    frames = sum(camera.frames for camera in run.cameras)
    boxes = sum(camera.boxes for camera in run.cameras)
    return {
        "footage_frames_per_s": round(frames / run.elapsed_s, 2),
        "footage_people_per_frame": round(boxes / frames, 1),
        "footage_size": "640x360",
    }


class Side:
    """One side in a process of its own, warmed up.

    Args:
        name: Which.
        identities: How many people a round.
    """

    def __init__(self, name: str, identities: int) -> None:
        command = [sys.executable, "-m", "benchmarks", "synthetic", "--side", name]
        with single_threaded():
            self._process = subprocess.Popen(
                [*command, "--identities", str(identities)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).resolve().parents[1],
            )
        self._answer()

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()

    def run(self) -> float:
        """Seconds of one round."""
        if self._process.stdin:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> float:
        """The next JSON line; lines of libraries are passed over."""
        while True:
            line = self._process.stdout.readline() if self._process.stdout else ""
            if not line:
                raise SystemExit("a side of the benchmark died")
            if line.startswith("= "):
                return float(json.loads(line[2:]))


def _serve(name: str, identities: int) -> None:
    """Does a round at every line that comes in, and says how long it took."""
    one_round = _plain(identities) if name == "plain" else _everyid(identities)
    _say(0.0)
    for number, _ in enumerate(sys.stdin):
        started = time.perf_counter()
        one_round(number)
        _say(time.perf_counter() - started)


def _say(value: float) -> None:
    sys.stdout.write(f"= {json.dumps(value)}\n")
    sys.stdout.flush()


def _everyid(identities: int) -> Callable[[int], None]:
    """New people each round, all their crops to files, as a worker makes them."""
    from synthetic.crop_worker import CropTask, StageTask, draw_crops, make_stage
    from synthetic.people.wardrobe import draw_people

    folder = Path(tempfile.mkdtemp(prefix="everyid-bench-"))
    for camera in range(1, CAMERAS + 1):
        make_stage(StageTask(1, camera, folder))
    people = draw_people(4000, seed=1)

    def one_round(number: int) -> None:
        for place in range(identities):
            person = number * identities + place + 1
            files = [
                (camera, picture, folder / f"{person}_{camera}_{picture}.jpg")
                for camera in range(1, CAMERAS + 1)
                for picture in range(1, PICTURES + 1)
            ]
            draw_crops(CropTask(1, "person", person, people[person], folder, tuple(files), None))

    return one_round


def _plain(identities: int) -> Callable[[int], None]:
    """The forward pass of anny, then a draw call for each layer into four samples a pixel."""
    import anny
    import moderngl
    import torch
    import warp
    from anny.paths import set_anny_cache_path

    from synthetic.rendering.context import open_context

    warp.config.log_level = warp.LOG_WARNING
    warp.config.kernel_cache_dir = CACHE.name
    set_anny_cache_path(CACHE.name)
    torch.set_num_threads(1)
    model = anny.Anny(topology="notoes", phenotypes="all").to(dtype=torch.float32)
    faces = model.faces.numpy().astype(np.int32)
    context = open_context()
    program = context.program(vertex_shader=_VERTEX, fragment_shader=_FRAGMENT)
    width, height = CROP_WH
    many = context.framebuffer(
        [context.renderbuffer((width, height), 4, samples=4)],
        context.depth_renderbuffer((width, height), samples=4),
    )
    one = context.framebuffer([context.renderbuffer((width, height), 4)])
    vertices = context.buffer(reserve=len(model.template_vertices) * 12, dynamic=True)
    array = context.vertex_array(program, [(vertices, "3f", "position")], context.buffer(faces))
    context.enable(moderngl.DEPTH_TEST)
    chance = np.random.default_rng(1)
    pose = torch.eye(4)[None, None].repeat(1, len(model.bone_labels), 1, 1)

    def one_round(number: int) -> None:
        for _ in range(identities * CAMERAS * PICTURES):
            measures = {name: float(chance.uniform(0.3, 0.7)) for name in model.phenotype_labels}
            with torch.no_grad():
                posed = model(pose_parameters=pose, phenotype_kwargs=measures)["vertices"][0]
            vertices.write(posed.numpy().astype(np.float32).tobytes())
            many.use()
            many.clear(0, 0, 0, 0, depth=1.0)
            for layer in range(LAYERS):
                program["grown"].value = 0.004 * layer
                array.render()
            context.copy_framebuffer(one, many)
            one.read(components=4)

    one_round(0)
    return one_round


_VERTEX = """#version 330
in vec3 position; uniform float grown; out vec3 place;
void main() {
    place = position;
    vec3 wide = position * (1.0 + grown);
    gl_Position = vec4(wide.x * 1.1, wide.z * 1.1, wide.y * 0.1, 1.0);
}"""
_FRAGMENT = """#version 330
in vec3 place; out vec4 colour;
void main() { colour = vec4(fract(place * 7.0), 1.0); }"""
