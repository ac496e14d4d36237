"""What the API answers, for its documentation and for who tests it. A field that may be null is not always known."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["track", "artist", "album"]


class Shape(BaseModel):
    """Exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class Problem(Shape):
    """Why there is no other answer."""

    error: str = Field(description="A sentence.")


class Column(Shape):
    """A column of a table, of a view or of an answer."""

    name: str
    type: str = Field(description="In BigQuery's words.")
    description: str | None = None


class Table(Shape):
    """A table or a view."""

    name: str = Field(description="As a query names it, with the dataset.")
    kind: Literal["table", "view"]
    description: str
    columns: list[Column]


class Tables(Shape):
    """All that can be asked."""

    rows: list[Table]


class Question(Shape):
    """One SELECT, and how its answer is wanted."""

    sql: str = Field(max_length=100_000, description="One SELECT in BigQuery SQL.", examples=["SELECT 1 AS one"])
    format: Literal["json", "csv", "parquet"] = "json"
    limit: int = Field(1000, ge=1, le=100_000, strict=True, description="The first rows, so many at most.")


class Answer(Shape):
    """The first rows of a query's answer."""

    columns: list[Column]
    rows: list[dict[str, object]]
    rows_in_all: int = Field(description="How many the query gave.")
    is_cut: bool = Field(description="Whether those are more than the rows here.")


class Listener(Shape):
    """Somebody whose plays are here."""

    user_id: str
    plays: int
    first_month: date
    last_month: date
    computed_at: datetime | None


class Listeners(Shape):
    """Everybody."""

    rows: list[Listener]


class Month(Shape):
    """A month that has plays."""

    month: date = Field(description="Its first day.")
    plays: int
    is_final: bool = Field(description="Whether it was over when it was counted.")
    computed_at: datetime | None


class Page(Shape):
    """A listener's answer."""

    user: str
    time_zone: str = Field(description="The one that days and months are counted in.")


class Span(Page):
    """An answer about days, the first and the last of which are in it."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)

    first: date = Field(alias="from")
    last: date = Field(alias="to")


class Months(Page):
    """Ascending."""

    rows: list[Month]


class Heard(Shape):
    """Time heard: of some plays it is the length of the track, of some it is not known; so many are counted here."""

    heard_ms: int | None
    estimated_plays: int
    unknown_plays: int


class Totals(Heard):
    """A span in numbers."""

    plays: int
    hidden_plays: int = Field(description="Plays that the listener has hidden, which are in none of the others.")
    songs: int
    artists: int
    albums: int
    days: int = Field(description="Days with a play.")
    skipped: int
    skip_known: int = Field(description="Plays whose source says whether they were skipped.")
    first_played_at: datetime | None
    last_played_at: datetime | None


class SpanTotals(Span):
    """In one row."""

    row: Totals


class Line(Heard):
    """A song, an artist or an album, and its place in a span."""

    kind: Kind
    rank: int
    key: str = Field(description="What it is counted by; its page's address has it.")
    id: str | None = Field(description="Spotify's, or one made of names where there is none.")
    name: str | None
    artist_name: str | None
    artist_key: str | None
    album_name: str | None
    image_url: str | None
    plays: int
    first_played_at: datetime
    last_played_at: datetime
    is_tied: bool = Field(description="Whether it has as many as the one before it.")
    tied_after: int = Field(description="How many after it have as many.")
    lines: int = Field(description="How many there are of its kind.")
    place: str = Field(description="Where it stands in the order: what ``after`` takes.")


class Top(Span):
    """By rank. ``next`` is there where there is more: the address of what follows."""

    rows: list[Line]
    next: str | None = None


class Play(Shape):
    """One play. ``played_at_local`` and ``played_on`` are in the time zone."""

    played_at: datetime
    played_at_local: str = Field(description="What a clock on the wall showed: 2026-11-28T14:02:00.")
    played_on: date
    track_id: str
    song_id: str | None
    track_name: str | None
    artist_name: str | None
    artist_id: str | None
    album_name: str | None
    album_key: str | None
    image_url: str | None
    ms_played: int | None
    duration_ms: int | None
    skipped: bool | None
    reason_start: str | None
    reason_end: str | None
    context_uri: str | None
    source: str


class Plays(Span):
    """The newest first. ``next`` is there where there is more: the address of what follows."""

    rows: list[Play]
    next: str | None = None


class Activity(Span):
    """By day (each, also without a play), by month, or by weekday (1 is Monday) and hour."""

    rows: list[dict[str, object]]


class Found(Shape):
    """A song, an artist or an album whose name has what was looked for."""

    kind: Kind
    key: str
    name: str | None
    artist_name: str | None
    plays: int
    last_played_at: datetime
    found: int = Field(description="How many of its kind there are, of which ``limit`` at most are here.")


class Search(Page):
    """By kind, the most played first."""

    rows: list[Found]
