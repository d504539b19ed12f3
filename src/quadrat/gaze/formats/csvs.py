"""Reads CSV files of any length in blocks, into columns; problems are told with file and line.

A block is parsed by polars with the types that the layout says. Where that does not work, the block is read once more
as text, more leniently, and the first value that cannot be read is named.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import polars as pl

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.formats.layouts import Column, Layout, Value

BLOCK_BYTES = 8 * 1024**2
_MAX_HEADER = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_TRUE = ("true", "1", "1.0")
_FALSE = ("false", "0", "0.0")
_FAST: dict[Value, type[pl.DataType]] = {
    Value.TIME: pl.Int64,
    Value.ID: pl.Int32,
    Value.NUMBER: pl.Float64,
    Value.FLAG: pl.String,
    Value.LEVEL: pl.String,
    Value.TEXT: pl.String,
}
_WORDS = {
    Value.TIME: "a whole number of nanoseconds",
    Value.ID: "a whole number",
    Value.NUMBER: "a number",
    Value.FLAG: "true or false",
    Value.LEVEL: "a number, true or false",
    Value.TEXT: "a text",
}


def _invalid(file_name: str, line: int, problem: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, f"{file_name}, line {line}: {problem}", field=file_name)


class CsvFile:
    """One CSV file.

    Args:
        file_name: As its sender calls it, for messages.
        source: Its bytes, read once.
        layouts: What it may be; the first whose mark is in the header is taken.

    Raises:
        QuadratError: invalid, when the header fits none of the layouts.
    """

    def __init__(self, file_name: str, source: BinaryIO, layouts: Sequence[Layout]) -> None:
        self._name = file_name
        self._source = source
        line = source.readline(_MAX_HEADER)
        self._names = self._header(line)
        self.layout = self._choose(layouts)
        self._columns: dict[str, tuple[int, Column]] = {}
        missing = []
        for meaning, column in self.layout.columns.items():
            if column.name in self._names:
                self._columns[meaning] = (self._names.index(column.name), column)
            elif column.required:
                missing.append(column.name)
        if missing:
            raise _invalid(file_name, 1, f"missing columns: {', '.join(missing)}")

    def _header(self, line: bytes) -> list[str]:
        try:
            text = line.removeprefix(_BOM).decode("utf-8")
        except UnicodeDecodeError:
            raise _invalid(self._name, 1, "the header is not UTF-8.") from None
        return [name.strip() for name in next(csv.reader([text]), [])]

    def _choose(self, layouts: Sequence[Layout]) -> Layout:
        for layout in layouts:
            if layout.mark in self._names:
                return layout
        marks = " or ".join(layout.mark for layout in layouts)
        found = ", ".join(name[:40] for name in self._names[:12])
        raise _invalid(self._name, 1, f"missing columns: {marks}. Found: {found or 'no header'}")

    def has(self, meaning: str) -> bool:
        """Whether the file has a column of this meaning."""
        return meaning in self._columns

    def blocks(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """The rows, block after block: number of the block's first line (the header is line 1), and the columns.

        Flags are Boolean, ids Int32, times Int64, numbers and levels Float64, texts String; null where one is missing.

        Raises:
            QuadratError: invalid, naming file and line.
        """
        line = 2
        for block in self._raw_blocks():
            frame = self._parse(block, line)
            if len(frame):
                yield line, frame
            line += block.count(b"\n")

    def rows(self) -> Iterator[tuple[int, dict[str, object]]]:
        """Line and values of each row, for short files; missing columns are None."""
        for line, frame in self.blocks():
            for number, row in enumerate(frame.iter_rows(named=True)):
                yield line + number, {meaning: row.get(meaning) for meaning in self.layout.columns}

    def _raw_blocks(self) -> Iterator[bytes]:
        rest = b""
        while piece := self._source.read(BLOCK_BYTES):
            block = rest + piece
            cut = block.rfind(b"\n") + 1
            # A line break inside quotes ends no row.
            while cut and block.count(b'"', 0, cut) % 2:
                cut = block.rfind(b"\n", 0, cut - 1) + 1
            rest = block[cut:]
            if cut:
                yield block[:cut]
        if rest.strip():
            yield rest

    def _parse(self, block: bytes, line: int) -> pl.DataFrame:
        ordered = sorted(self._columns.items(), key=lambda item: item[1][0])
        places = [str(index) for index in range(len(self._names))]
        dtypes: dict[str, type[pl.DataType]] = dict.fromkeys(places, pl.String)
        for _, (index, column) in ordered:
            dtypes[places[index]] = _FAST[column.value]
        try:
            frame = pl.read_csv(
                block,
                has_header=False,
                schema=dtypes,
                columns=[index for _, (index, _) in ordered],
            )
        except pl.exceptions.PolarsError:
            return self._parse_slowly(block, line)
        frame.columns = [meaning for meaning, _ in ordered]
        return self._checked(frame, block, line)

    def _checked(self, frame: pl.DataFrame, block: bytes, line: int) -> pl.DataFrame:
        """The frame with real flags; values that only the lenient way reads are left to it."""
        flags = []
        for meaning, (_, column) in self._columns.items():
            values = frame[meaning]
            if column.value is Value.FLAG:
                flag = _fast_flag(values)
                if flag is None:
                    return self._parse_slowly(block, line)
                flags.append(flag.alias(meaning))
            elif column.value is Value.LEVEL:
                level = _cast(values, Value.LEVEL)
                if level.null_count() != values.null_count():
                    return self._parse_slowly(block, line)
                flags.append(level)
            elif column.required and column.value in {Value.TIME, Value.ID} and values.null_count():
                return self._parse_slowly(block, line)
        return frame.with_columns(flags) if flags else frame

    def _parse_slowly(self, block: bytes, line: int) -> pl.DataFrame:
        try:
            text = block.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _invalid(self._name, line + block[: error.start].count(b"\n"), "this is not UTF-8.") from None
        columns: dict[str, list[str | None]] = {meaning: [] for meaning in self._columns}
        lines: list[int] = []
        reader = csv.reader(io.StringIO(text))
        try:
            for row in reader:
                if not any(row):
                    continue
                at = line + reader.line_num - 1
                if len(row) > len(self._names):
                    raise _invalid(self._name, at, f"{len(row)} values, but the header has {len(self._names)}.")
                lines.append(at)
                for meaning, (index, _) in self._columns.items():
                    value = row[index].strip() if index < len(row) else ""
                    columns[meaning].append(value or None)
        except csv.Error as error:
            raise _invalid(self._name, line + reader.line_num - 1, f"{error}.") from None
        return pl.DataFrame(
            [self._convert(meaning, values, lines) for meaning, values in columns.items()],
        )

    def _convert(self, meaning: str, values: list[str | None], lines: Sequence[int]) -> pl.Series:
        _, column = self._columns[meaning]
        raw = pl.Series(meaning, values, pl.String)
        converted = _cast(raw, column.value)
        unreadable = converted.is_null() & raw.is_not_null()
        if column.required and column.value in {Value.TIME, Value.ID}:
            unreadable |= raw.is_null()
        if unreadable.any():
            place = unreadable.arg_max() or 0
            shown = raw[place]
            problem = "is missing" if shown is None else f"is {shown[:40]!r}, not {_WORDS[column.value]}"
            raise _invalid(self._name, lines[place], f"{column.name} {problem}.")
        return converted


def _fast_flag(values: pl.Series) -> pl.Series | None:
    """Flags that are all written in one of the usual ways; None when they are not."""
    for true, false in (("true", "false"), ("True", "False"), ("1.0", "0.0")):
        flag = values == true
        if (flag | (values == false)).all():
            return flag
    lower = values.str.to_lowercase()
    known = lower.is_in([*_TRUE, *_FALSE])
    return lower.is_in(_TRUE) if known.all() else None


def _cast(raw: pl.Series, value: Value) -> pl.Series:
    if value is Value.FLAG:
        lower = raw.str.to_lowercase()
        known = lower.is_in([*_TRUE, *_FALSE])
        return pl.select(pl.when(known).then(lower.is_in(_TRUE)).otherwise(None)).to_series().alias(raw.name)
    if value is Value.LEVEL:
        words = {"true": "1", "false": "0"}
        return raw.str.to_lowercase().replace(words).cast(pl.Float64, strict=False)
    if value is Value.ID:
        # Some programs write ids as 12.0, because other rows have none.
        return raw.str.replace(r"\.0+$", "").cast(pl.Int32, strict=False)
    return raw.cast(_FAST[value], strict=False)
