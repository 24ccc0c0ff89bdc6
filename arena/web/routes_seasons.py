"""Routes about a season that is over or goes on: its files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse

from arena.web.answers import file_tag, tag_headers, unchanged
from arena.web.context import SEASON_NUMBERS, AppState, Ctx, Waiting
from arena.web.limits import Placed
from arena.web.season_files import TYPES, season_file

router = APIRouter(tags=["seasons"])

Number = Annotated[int, Path(ge=1, le=SEASON_NUMBERS)]
_PIECE = 1 << 16


@router.get(
    "/seasons/{number}/files/{name}", response_class=StreamingResponse,
    responses={200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in TYPES.values()}}},
)  # fmt: skip
async def season_download(request: Request, number: Number, name: str, context: Ctx, lines: Waiting) -> Response:
    """Download a season's board, trades, orders, equity or ticks as .csv or .parquet, its report, or season.zip."""
    file, tag = await lines.bundles.run(request, _tagged_file, context, number, name)
    known = unchanged(request, tag)
    if known is not None:
        file.close()
        return known
    headers = {**tag_headers(tag), "content-disposition": f'attachment; filename="season-{number}-{name}"'}
    kind = TYPES[name.rpartition(".")[2]]
    return Placed(lines.downloads, request, StreamingResponse(_pieces(file), media_type=kind, headers=headers))


def _tagged_file(context: AppState, number: int, name: str) -> tuple[IO[bytes], str]:
    file = season_file(context, number, name)
    return file, file_tag(file)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
