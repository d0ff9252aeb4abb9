import pytest
from test_warehouse import NOVEMBER, build, fetch

pytestmark = pytest.mark.slow
Q = "select table_name from information_schema.columns where table_schema='analytics' and table_name in ('standings','unpredicted','matches') group by 1 order by 1"


def test_debug(built):
    out = [fetch(built, Q)]
    build(built, NOVEMBER)
    out.append(fetch(built, Q))
    out.append(
        fetch(
            built, "select relname, relkind from pg_class where relnamespace in ('analytics'::regnamespace)"
        )
    )
    out.append(fetch(built, "select * from analytics.standings where true"))
    print(out)
    assert 0
