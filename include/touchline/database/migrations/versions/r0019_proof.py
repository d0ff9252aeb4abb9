"""ledger: rows agree with the match and the world, and are chained in the order in which they are written."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

UPGRADE = """
alter table ops.world add column clock text check (clock in ('live', 'virtual'));
update ops.world set clock = (select clock from ledger.prediction order by recorded_at desc limit 1);
comment on table ops.world is 'One row: whether this database holds real or simulated football, and whether its '
    'predictions were made live or by a virtual clock. Neither mixes.';
comment on column ops.world.clock is 'live or virtual, as the first prediction said; null before it';

-- One writer of the ledger at a time: whoever writes the next link has seen the last one.
create function ledger.take_turn() returns void
language sql security definer set search_path = pg_catalog, pg_temp as 'select from ops.world for update';
revoke all on function ledger.take_turn() from public;
grant execute on function ledger.take_turn() to touchline_model;
comment on function ledger.take_turn is 'Locks the ledger for writers until the transaction ends.';

create function ledger.wait_for_turn() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform ledger.take_turn();
    return null;
end $$;
-- Before the first row, so that recorded_at grows along the chain.
create trigger wait_for_turn before insert on ledger.prediction
    for each statement execute function ledger.wait_for_turn();
create trigger wait_for_turn before insert on ledger.prediction_outcome
    for each statement execute function ledger.wait_for_turn();

create function ledger.check_prediction() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    world ops.world;
    match record;
begin
    select * into world from ops.world;
    if new.is_simulated is distinct from world.is_simulated then
        raise exception 'prediction % has is_simulated %, this database %', new.prediction_id, new.is_simulated,
            world.is_simulated using errcode = 'check_violation', constraint = 'prediction_of_this_world';
    end if;
    if world.clock is null then
        update ops.world set clock = new.clock;
    elsif world.clock <> new.clock then
        raise exception 'prediction % has a % clock, and this database holds % predictions', new.prediction_id,
            new.clock, world.clock using errcode = 'check_violation', constraint = 'prediction_by_this_clock',
            hint = 'Set TOUCHLINE_DATABASE_NAME to another database.';
    end if;
    select competition, season, home_team, away_team, kickoff_at, status, is_played into match
    from core.match where core.match.match_id = new.match_id;
    if not found or match.is_played or match.status <> 'scheduled'
        or (new.competition, new.season, new.home_team, new.away_team, new.kickoff_at)
            is distinct from (match.competition, match.season, match.home_team, match.away_team, match.kickoff_at)
    then
        raise exception 'prediction %: core.match announces no such match % (% against %, %)', new.prediction_id,
            new.match_id, new.home_team, new.away_team, new.kickoff_at
            using errcode = 'check_violation', constraint = 'prediction_of_announced_match',
            detail = 'It has ' || to_jsonb(match)::text;
    end if;
    return null;
end $$;

create function ledger.check_outcome() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    result record;
    p double precision[];
    happened integer := array_position(array['home', 'draw', 'away'], new.outcome);
begin
    select core.match_result.home_goals, core.match_result.away_goals, core.match_result.known_at,
        array[prediction.p_home, prediction.p_draw, prediction.p_away] as p into result
    from ledger.prediction inner join core.match_result using (match_id)
    where prediction.prediction_id = new.prediction_id;
    if not found or (new.home_goals, new.away_goals) is distinct from (result.home_goals, result.away_goals)
        or new.settled_at < result.known_at
    then
        raise exception 'outcome of prediction %: core.match_result has no %-% known at %', new.prediction_id,
            new.home_goals, new.away_goals, new.settled_at
            using errcode = 'check_violation', constraint = 'outcome_of_known_result',
            detail = 'It has ' || to_jsonb(result)::text;
    end if;
    p := result.p;
    -- The formulas of touchline.forecasting.metrics.
    if abs(new.log_loss + ln(greatest(p[happened], 1e-15))) > 1e-9
        or abs(new.brier - (select sum((each - (number = happened)::integer) ^ 2)
            from unnest(p) with ordinality as forecast (each, number))) > 1e-9
        or abs(new.rps - ((p[1] - (happened = 1)::integer) ^ 2
            + (p[1] + p[2] - (happened <= 2)::integer) ^ 2) / 2) > 1e-9
        or new.is_correct <> (array_position(p, greatest(p[1], p[2], p[3])) = happened)
    then
        raise exception 'outcome of prediction %: its scores are not those of %', new.prediction_id, p
            using errcode = 'check_violation', constraint = 'scores_of_prediction';
    end if;
    return null;
end $$;
-- After the row, so that what is wrong with the row itself is said first.
create trigger check_match after insert on ledger.prediction
    for each row execute function ledger.check_prediction();
create trigger check_match after insert on ledger.prediction_outcome
    for each row execute function ledger.check_outcome();
-- What was written before stays as it is.
alter table ledger.prediction_outcome add constraint outcome_of_scoreline check (
    outcome = case sign(home_goals - away_goals) when 1 then 'home' when 0 then 'draw' else 'away' end) not valid;

create table ledger.chain (
    position bigint primary key check (position >= 1),
    prediction_id uuid not null,
    revision integer,
    hash bytea not null,
    unique nulls not distinct (prediction_id, revision)
);
comment on table ledger.chain is 'One row a row of the ledger, in order of writing: SHA-256 of the hash before it and '
    'of ledger.text_of the row.';
comment on column ledger.chain.revision is 'of an outcome; null for the prediction itself';

-- Equal under every setting of a session. Features and grid are long, and stand in the text as their SHA-256.
create function ledger.text_of(entry ledger.prediction) returns text
language sql stable set timezone = 'UTC' set extra_float_digits = 1 as $$
    select row_to_json(said)::text from (select
        entry.recorded_at, 'prediction' as kind, entry.clock, entry.kickoff_at, entry.prediction_id, entry.match_id,
        entry.competition, entry.season, entry.home_team, entry.away_team, entry.model_name, entry.model_version,
        entry.forecast, entry.role, entry.rests_on, entry.predicted_at, entry.features_as_of, entry.p_home,
        entry.p_draw, entry.p_away, entry.expected_home_goals, entry.expected_away_goals,
        encode(sha256(convert_to(entry.scoreline_grid::text, 'UTF8')), 'hex') as scoreline_grid_sha256,
        encode(sha256(convert_to(entry.features::text, 'UTF8')), 'hex') as features_sha256,
        entry.feature_hash, entry.feature_store, entry.is_simulated, entry.run_id) as said
$$;
create function ledger.text_of(entry ledger.prediction_outcome) returns text
language sql stable set timezone = 'UTC' set extra_float_digits = 1 as $$
    select row_to_json(said)::text from (select
        entry.recorded_at, 'outcome' as kind, entry.settled_at, entry.prediction_id, entry.revision, entry.home_goals,
        entry.away_goals, entry.outcome, entry.rps, entry.log_loss, entry.brier, entry.is_correct,
        entry.p_closing_home, entry.p_closing_draw, entry.p_closing_away, entry.closing_line_value, entry.run_id
    ) as said
$$;

create function ledger.link(prediction_id uuid, revision integer, said text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    last record;
begin
    select chain.position, chain.hash into last from ledger.chain order by chain.position desc limit 1;
    insert into ledger.chain (position, prediction_id, revision, hash) values (coalesce(last.position, 0) + 1,
        link.prediction_id, link.revision, sha256(coalesce(last.hash, '') || convert_to(said, 'UTF8')));
end $$;
create function ledger.chain_row() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_table_name = 'prediction' then
        perform ledger.link(new.prediction_id, null, ledger.text_of(new));
    else
        perform ledger.link(new.prediction_id, new.revision, ledger.text_of(new));
    end if;
    return null;
end $$;
select ledger.link(prediction_id, revision, said) from (
    select recorded_at, prediction_id, null::integer as revision, ledger.text_of(prediction) as said
    from ledger.prediction
    union all
    select recorded_at, prediction_id, revision, ledger.text_of(prediction_outcome) from ledger.prediction_outcome
    order by recorded_at, prediction_id, revision
) as written;
create trigger chain_row after insert on ledger.prediction
    for each row execute function ledger.chain_row();
create trigger chain_row after insert on ledger.prediction_outcome
    for each row execute function ledger.chain_row();

create table ledger.digest (
    position bigint primary key,
    hash bytea not null,
    taken_at timestamptz not null default clock_timestamp()
);
comment on table ledger.digest is 'One row each time that the last link of ledger.chain was noted to be handed out: '
    'who kept it can prove that the ledger up to there is unchanged (touchline ledger verify).';
create function ledger.text_of(taken ledger.digest) returns text
language sql stable set timezone = 'UTC' as $$
    select json_build_object('position', taken.position, 'hash', encode(taken.hash, 'hex'), 'taken_at',
        taken.taken_at)::text
$$;
create function ledger.take_digest() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform ledger.take_turn();
    insert into ledger.digest (position, hash)
    select position, hash from ledger.chain order by position desc limit 1
    on conflict do nothing;
end $$;
revoke all on function ledger.take_digest() from public;
grant execute on function ledger.take_digest() to touchline_model;

select ops.make_append_only(t::regclass) from unnest(array['ledger.chain', 'ledger.digest']) as t;
grant select on ledger.chain, ledger.digest
    to touchline_model, touchline_transform, touchline_api, touchline_analyst;
"""

DOWNGRADE = """
drop trigger chain_row on ledger.prediction_outcome;
drop trigger chain_row on ledger.prediction;
drop trigger check_match on ledger.prediction_outcome;
drop trigger check_match on ledger.prediction;
drop trigger wait_for_turn on ledger.prediction_outcome;
drop trigger wait_for_turn on ledger.prediction;
drop function ledger.take_digest, ledger.text_of(ledger.digest), ledger.chain_row, ledger.link,
    ledger.text_of(ledger.prediction), ledger.text_of(ledger.prediction_outcome), ledger.check_outcome,
    ledger.check_prediction, ledger.wait_for_turn, ledger.take_turn;
drop table ledger.digest, ledger.chain;
alter table ledger.prediction_outcome drop constraint outcome_of_scoreline;
alter table ops.world drop column clock;
comment on table ops.world is
    'One row: whether this database holds real or simulated football. The two never mix.';
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
