"""What ``person models`` shows: networks known by name, and the layouts of files."""

from pydantic import Field

from everyid.hub_store import HubRecord, records
from everyid.models import Model
from everyid.weights import WeightsEntry, entries, is_cached
from person.backbones import ARCHITECTURES, architecture

__all__ = ["Layout", "ListedNetwork", "NetworkListing", "listing", "listing_text"]


class ListedNetwork(Model):
    """One network known by name."""

    entry: WeightsEntry
    cached: bool = Field(description="its files are here")


class Layout(Model):
    """One kind of checkpoint that is recognised by its keys and shapes."""

    architecture: str
    layout: str


class NetworkListing(Model):
    """What ``person models --json`` prints."""

    networks: list[ListedNetwork]
    downloaded: list[HubRecord] = Field(default=[], description="from a model hub")
    layouts: list[Layout]


def listing() -> NetworkListing:
    """All networks and layouts.

    Raises:
        InputError: A file in the models folder cannot be read.
    """
    return NetworkListing(
        networks=[
            ListedNetwork(entry=entry, cached=is_cached(entry))
            for entry in entries()
            if entry.task == "reid"
        ],
        downloaded=records("person"),
        layouts=[
            Layout(architecture=name, layout=architecture(name).layout) for name in ARCHITECTURES
        ],
    )


def listing_text(found: NetworkListing) -> str:
    """The same for people; every figure with its data, protocol and source."""
    lines = []
    for network in found.networks:
        entry = network.entry
        size = f"{entry.total_bytes / 1e6:.1f} MB"
        parameters = f"{entry.parameters / 1e6:.2f} M parameters, " if entry.parameters else ""
        lines.append(f"{entry.name}  ({_whereabouts(network)})")
        lines.append(f"  {entry.architecture}; {parameters}{size}; {entry.licence}")
        lines.append(f"  trained on: {entry.trained_on}")
        for figure in entry.figures:
            values = ", ".join(f"{key} {100 * v:.1f} %" for key, v in figure.metrics.items())
            lines.append(f"  {figure.data}: {values} ({figure.protocol})")
            lines.append(f"    {figure.source}")
        if entry.card is not None:
            lines.append(f"  card: {entry.card}")
    for record in found.downloaded:
        lines.append(f"{record.names[0]}  (downloaded on {record.downloaded_at:%Y-%m-%d})")
        lines.append(f"  {record.names[-1]}, commit {record.commit}")
    lines.append("")
    lines.append("checkpoints recognised by their keys and shapes (--model FILE):")
    lines += [f"  {layout.architecture:12} {layout.layout}" for layout in found.layouts]
    lines.append(
        "also: OpenVINO .xml with its .bin, and .onnx, with a FILE.json or options that say"
    )
    lines.append("what they are fed")
    return "\n".join(lines)


def _whereabouts(network: ListedNetwork) -> str:
    """Where the files of a network are, in few words."""
    if network.entry.bundled is not None:
        return "shipped with the project" if network.cached else "shipped, but damaged or missing"
    return "here" if network.cached else "fetched at the first use"
