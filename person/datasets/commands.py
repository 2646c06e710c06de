"""``person dataset check`` and ``stats``: what is wrong with data, and how much of it there is."""

from everyid.output import refuse_existing, result_folder, stoppable, whole_file
from person.datasets.checking import DatasetCheck, check_dataset
from person.datasets.config import DatasetCheckConfig, DatasetStatsConfig
from person.datasets.histograms import draw_statistics
from person.datasets.statistics import DatasetStatistics, dataset_statistics
from person.session import default_source

__all__ = ["run_check", "run_stats"]


def run_check(config: DatasetCheckConfig) -> DatasetCheck:
    """Looks at all images and labels of some data; nothing is written.

    Raises:
        EveryIDError: A source or a pattern cannot be used.
    """
    with stoppable() as stop:
        return check_dataset(
            config.sources or (default_source(),),
            id_pattern=config.id_pattern,
            camera_pattern=config.camera_pattern,
            stop=stop,
        )


def run_stats(config: DatasetStatsConfig) -> DatasetStatistics:
    """Counts what some data holds, and writes ``statistics.json`` and ``statistics.png``.

    Raises:
        EveryIDError: A source, a pattern or the output cannot be used.
        KeyboardInterrupt: Ctrl-C came before all images were looked at.
    """
    with stoppable() as stop, result_folder(config.output, "person", "dataset-stats") as folder:
        outputs = {"json": folder / "statistics.json", "plots": folder / "statistics.png"}
        for path in outputs.values():
            refuse_existing(path, overwrite=config.overwrite)
        found = dataset_statistics(
            config.sources or (default_source(),),
            id_pattern=config.id_pattern,
            camera_pattern=config.camera_pattern,
            stop=stop,
        ).model_copy(update={"outputs": outputs})
        with whole_file(outputs["json"], overwrite=config.overwrite) as part:
            part.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
        draw_statistics(outputs["plots"], found, overwrite=config.overwrite)
        return found
