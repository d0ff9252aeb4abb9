"""ledger: forecasts of the season ahead and what came of them, chained like predictions."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

UPGRADE = """
create table ledger.season_forecast (
    forecast_id uuid primary key,
    competition text not null,
    season text not null,
    team_id uuid not null,
    team text not null,
    model_name text not null,
    model_version text not null,
    forecast_at timestamptz not null,
    clock text not null check (clock in ('live', 'virtual')),
    n_simulations integer not null check (n_simulations > 0),
    strength_deviation double precision not null,
    n_played smallint not null,
    n_left smallint not null,
    points smallint not null,
    expected_points double precision not null,
    points_low smallint not null,
    points_high smallint not null,
    p_place double precision[] not null,
    p_title double precision check (p_title between 0 and 1),
    p_champions_league double precision check (p_champions_league between 0 and 1),
    p_europe double precision check (p_europe between 0 and 1),
    p_championship_play_off double precision check (p_championship_play_off between 0 and 1),
    p_promotion double precision check (p_promotion between 0 and 1),
    p_promotion_play_off double precision check (p_promotion_play_off between 0 and 1),
    p_relegation_play_off double precision check (p_relegation_play_off between 0 and 1),
    p_relegation double precision check (p_relegation between 0 and 1),
    not_simulated text,
    basis text not null,
    is_simulated boolean not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    unique (competition, season, team_id, forecast_at, basis)
);
create index season_forecast_by_time on ledger.season_forecast (competition, season, forecast_at);
comment on table ledger.season_forecast is 'One row a competition, season, team and night: how the season may end.';
comment on column ledger.season_forecast.forecast_at is 'as of when; nothing learned later is in it (UTC)';
comment on column ledger.season_forecast.strength_deviation is 'standard deviation of how much stronger or weaker than '
    'thought a team is in a simulated season, in logs of goals';
comment on column ledger.season_forecast.n_left is 'matches left; before a split, the most that it can have';
comment on column ledger.season_forecast.points is 'points now, less those deducted';
comment on column ledger.season_forecast.points_low is 'nine in ten simulated seasons end between this and points_high';
comment on column ledger.season_forecast.p_place is 'probability of each final place, from the first; sums to one';
comment on column ledger.season_forecast.basis is 'SHA-256 of what it rests on: model version, matches, deductions and '
    'format; a season is not forecast again while it stays the same';

create table ledger.season_outcome (
    outcome_id uuid primary key,
    competition text not null,
    season text not null,
    team_id uuid not null,
    team text not null,
    revision integer not null check (revision >= 1),
    place smallint not null check (place >= 1),
    points smallint not null,
    reached text[] not null,
    settled_at timestamptz not null,
    run_id text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    unique (competition, season, team_id, revision)
);
comment on table ledger.season_outcome is 'One row a team of a season that was forecast, and revision: where it ended.';
comment on column ledger.season_outcome.reached is 'the outcomes of that place, such as title or relegation';

create function ledger.check_season_forecast() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    world ops.world;
begin
    select * into world from ops.world;
    if new.is_simulated is distinct from world.is_simulated
        or new.clock is distinct from coalesce(world.clock, new.clock)
    then
        raise exception 'season forecast % is of another world or clock than this database', new.forecast_id
            using errcode = 'check_violation', constraint = 'season_forecast_of_this_world';
    end if;
    if abs((select sum(p) from unnest(new.p_place) as p) - 1) > 1e-9 then
        raise exception 'season forecast %: its places do not sum to one', new.forecast_id
            using errcode = 'check_violation', constraint = 'places_sum_to_one';
    end if;
    if exists (select from ledger.season_outcome as ended where ended.competition = new.competition
        and ended.season = new.season and ended.settled_at <= new.forecast_at)
    then
        raise exception 'season forecast %: % of % has ended', new.forecast_id, new.season, new.competition
            using errcode = 'check_violation', constraint = 'season_forecast_before_the_end';
    end if;
    return null;
end $$;
create trigger check_season after insert on ledger.season_forecast
    for each row execute function ledger.check_season_forecast();

create function ledger.text_of(entry ledger.season_forecast) returns text
language sql stable set timezone = 'UTC' set extra_float_digits = 1 as $$
    select row_to_json(said)::text from (select
        entry.recorded_at, 'season_forecast' as kind, entry.clock, entry.forecast_at, entry.forecast_id,
        entry.competition, entry.season, entry.team_id, entry.team, entry.model_name, entry.model_version,
        entry.n_simulations, entry.strength_deviation, entry.n_played, entry.n_left, entry.points,
        entry.expected_points, entry.points_low, entry.points_high, entry.p_place,
        entry.p_title, entry.p_champions_league, entry.p_europe, entry.p_championship_play_off, entry.p_promotion,
        entry.p_promotion_play_off, entry.p_relegation_play_off, entry.p_relegation,
        entry.not_simulated, entry.basis, entry.is_simulated, entry.run_id) as said
$$;
create function ledger.text_of(entry ledger.season_outcome) returns text
language sql stable set timezone = 'UTC' set extra_float_digits = 1 as $$
    select row_to_json(said)::text from (select
        entry.recorded_at, 'season_outcome' as kind, entry.settled_at, entry.outcome_id, entry.competition,
        entry.season, entry.team_id, entry.team, entry.revision, entry.place, entry.points, entry.reached,
        entry.run_id) as said
$$;

create function ledger.chain_season_row() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_table_name = 'season_forecast' then
        perform ledger.link(new.forecast_id, null, ledger.text_of(new));
    else
        perform ledger.link(new.outcome_id, null, ledger.text_of(new));
    end if;
    return null;
end $$;
create trigger wait_for_turn before insert on ledger.season_forecast
    for each statement execute function ledger.wait_for_turn();
create trigger wait_for_turn before insert on ledger.season_outcome
    for each statement execute function ledger.wait_for_turn();
create trigger chain_row after insert on ledger.season_forecast
    for each row execute function ledger.chain_season_row();
create trigger chain_row after insert on ledger.season_outcome
    for each row execute function ledger.chain_season_row();
comment on column ledger.chain.prediction_id is 'the prediction; or the forecast or the outcome of a season';

select ops.make_append_only(t::regclass) from unnest(array['ledger.season_forecast', 'ledger.season_outcome']) as t;
grant select on ledger.season_forecast, ledger.season_outcome
    to touchline_model, touchline_transform, touchline_api, touchline_analyst;
-- Every column but recorded_at, as for predictions.
do $$
declare
    target record;
begin
    for target in
        select table_name, string_agg(quote_ident(column_name), ', ' order by ordinal_position) as names
        from information_schema.columns
        where table_schema = 'ledger' and table_name in ('season_forecast', 'season_outcome')
            and column_name <> 'recorded_at'
        group by table_name
    loop
        execute format('grant insert (%s) on ledger.%I to touchline_model', target.names, target.table_name);
    end loop;
end $$;
"""

# Their links stay in the chain: whoever goes back has to explain the gap to those who hold digests.
DOWNGRADE = """
drop table ledger.season_outcome, ledger.season_forecast cascade;
drop function ledger.chain_season_row, ledger.check_season_forecast;
comment on column ledger.chain.prediction_id is null;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
