"""The cookbook of docs/analysts.md: each query runs as the analysts' role, names its columns, and finds something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from analyst_world import build_analyst_world
from databases import copy_of
from touchline.database.engine import connect
from touchline.settings import PROJECT_ROOT, Settings
from touchline.warehouse.export import list_views

pytestmark = pytest.mark.slow

PAGE = (PROJECT_ROOT / "docs" / "analysts.md").read_text()
QUESTION = re.compile(r"^### (\d+)\. (.+?)\nReturns (.+?)\.\n```sql\n(.+?)```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Question:
    number: int
    text: str
    columns: list[str]
    query: str


QUESTIONS = [
    Question(int(number), text, re.findall(r"`(\w+)`", columns), query)
    for number, text, columns, query in QUESTION.findall(PAGE)
]


@pytest.fixture(scope="module")
def world(server: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with copy_of(server) as empty:
        yield build_analyst_world(empty, tmp_path_factory.mktemp("seasons"))


def test_the_page_asks_twenty_questions():
    assert [question.number for question in QUESTIONS] == list(range(1, 21))
    assert PAGE.count("```sql") == 20


@pytest.mark.parametrize(
    "question", QUESTIONS, ids=lambda question: f"{question.number}-{question.text[:40]}"
)
def test_a_question_is_answered(world: Settings, question: Question):
    with connect(world, "analyst") as connection, connection.cursor() as cursor:
        cursor.execute(question.query)
        assert cursor.description is not None
        assert [column.name for column in cursor.description] == question.columns
        found = cursor.fetchall()
    assert found
    for number, name in enumerate(question.columns):
        assert any(row[number] is not None for row in found), f"{name} is empty in every row"


@pytest.mark.parametrize(
    "question", QUESTIONS, ids=lambda question: f"{question.number}-{question.text[:40]}"
)
def test_an_answer_has_no_more_digits_than_it_means(world: Settings, question: Question):
    with connect(world, "analyst") as connection:
        found = connection.execute(question.query).fetchall()
    numbers = {value for row in found for value in row if isinstance(value, (float, Decimal))}
    assert [value for value in numbers if round(value, 4) != value] == []


def test_form_is_of_the_teams_of_one_season(world: Settings):
    (question,) = (each for each in QUESTIONS if each.number == 12)
    with connect(world, "analyst") as connection:
        teams = {row[0] for row in connection.execute(question.query)}
        query = "select team from analytics.team_matches where competition = 'E0' and season = %s"
        before, now = (
            {row[0] for row in connection.execute(query, (season,))} for season in ("2021/22", "2022/23")
        )
    assert teams == now
    assert before - now == {"Watford"}


def test_the_page_names_every_view_once(world: Settings):
    table = PAGE.partition("## The views\n")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == list_views(world)


def test_every_view_has_rows_in_this_world(world: Settings):
    with connect(world, "analyst") as connection:
        counted = {
            view: connection.execute(f"select count(*) from analytics.{view}").fetchone()
            for view in list_views(world)
        }
    assert [view for view, n in counted.items() if n == (0,)] == []
