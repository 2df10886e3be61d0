"""What a worker of a batch does: one model, photo after photo."""

from __future__ import annotations

import dataclasses

from pellucid.batch.stores import Store
from pellucid.batch.tasks import BatchOptions, Record, Task
from pellucid.errors import PellucidError
from pellucid.layer_files import FORMATS, shown_by
from pellucid.photo import WriteOptions, read_photo, write_photo
from pellucid.photo.read import named
from pellucid.region import read_region
from pellucid.separation import Separation
from pellucid.separator import Separator
from pellucid.upscaling import Layer


class BatchWorker:
    """Separates the photos of a batch with one model."""

    def __init__(
        self, separator: Separator, source: Store, output: Store, options: BatchOptions
    ) -> None:
        self._separator = separator
        self._source = source
        self._output = output
        self._options = options

    def work(self, task: Task) -> Record:
        """Separate one photo and write its layers; never raises for what is wrong with it."""
        key = ""
        try:
            content = self._source.read(task.photo)
            key = task.key(content, self._options, self._separator.model.info.weights_id)
            separation = self._separate(task, content)
            notes = separation.source.notes + separation.notes
            for layer, target in task.targets.items():
                notes += self._write(separation, layer, target, content)
        except PellucidError as error:
            return Record(task.photo, False, key, error=str(error))
        except MemoryError:
            error = f"{task.photo}: there is not enough memory: use fewer --workers"
            return Record(task.photo, False, key, error=error)
        return Record(
            photo=task.photo,
            ok=True,
            key=key,
            outputs={str(layer): target for layer, target in task.targets.items()},
            size=separation.source.size,
            gates=dataclasses.asdict(separation.gates),
            notes=tuple(dict.fromkeys(notes)),
        )

    def _separate(self, task: Task, content: bytes) -> Separation:
        photo = read_photo(named(content, task.photo))
        separation = self._separator.separate(
            photo, transmission=task.transmission, reflection=task.reflection
        )
        if self._options.region is None:
            return separation
        return separation.within(read_region(self._options.region, photo.size))

    def _write(
        self, separation: Separation, layer: Layer, target: str, content: bytes
    ) -> tuple[str, ...]:
        options = self._options
        kind = options.format or FORMATS[target[target.rindex(".") :].lower()]
        keeps_file = options.keep_gps and kind.pillow_name == separation.source.source_format
        if layer == "transmission" and options.strength == 0 and keeps_file:
            self._output.write(target, content)
            return ()
        photo = shown_by(separation, layer, options.strength)
        encoded = named(b"", target)
        write_options = WriteOptions(keep_gps=options.keep_gps)
        notes = write_photo(photo, encoded, format=kind, options=write_options)
        self._output.write(target, encoded.getvalue())
        return notes
