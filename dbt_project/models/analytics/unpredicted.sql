-- one row per fixture of the horizon that has no prediction: the first reason that applies, where to look, what to do
with reasons as (
    -- The order in which reasons apply; the only place that has it.
    select
        place,
        reason,
        look_at,
        what_to_do
    from (
        values
        (
            1, 'rejected', 'touchline rejects show',
            'correct the row at its source or mend the parser, then `touchline rejects replay` and `touchline build`'
        ),
        (
            2, 'unknown_team', 'touchline teams review',
            'say which team is meant with `touchline teams link`, then `touchline rejects replay` and `touchline build`'
        ),
        (
            3, 'quarantined', 'touchline quality quarantined',
            'correct the fact at its source and collect again; it counts as soon as it passes the rule'
        ),
        (
            4, 'held', 'touchline quality holds',
            'correct the rows behind the hold, or accept them with `touchline quality release`'
        ),
        (
            5, 'superseded', 'core.match (competition, season, home_team, away_team)',
            'nothing: the match is listed again under another key; ask for that one'
        ),
        (
            6, 'called_off', 'core.match (status, payload_id)',
            'nothing: it is predicted once a source gives it a new kick-off'
        ),
        (
            7, 'no_features', 'features.match_features (match_id)',
            'run `touchline build`'
        ),
        (
            8, 'refused', 'ops.pipeline_run (step predict)',
            'mend what the message names, then `touchline predict`; a match that has begun stays without a prediction'
        ),
        (
            9, 'begun', 'ops.pipeline_run (step predict, as_of)',
            'nothing for it: a prediction is written before kick-off or not at all; see that predict_matches runs'
        ),
        (
            10, 'gate', 'touchline quality history',
            'the model or its features are broken: `touchline models`, then roll back or train anew'
        ),
        (
            11, 'no_forecast', 'touchline models',
            'the champion cannot say anything of it: collect what it needs (prices for a baseline), or train anew'
        ),
        (
            12, 'no_champion', 'touchline models',
            'run `touchline train`, then `touchline predict`'
        ),
        (
            13, 'waiting', 'ops.pipeline_run (steps build_core and predict)',
            'run `touchline build`, then `touchline predict`; with `touchline up`, Airflow does so on its schedule'
        )
    ) as listed (place, reason, look_at, what_to_do)
),

-- Each use of it finds its few matches by an index; all of them once would be hundreds of thousands.
matches as not materialized (
    select * from {{ ref('match') }}
),

predictions as not materialized (
    select * from {{ ref('prediction_history') }}
    where role = 'champion' and predicted_at <= {{ as_of() }}
),

-- The day before is part of it: a match that has begun without a prediction is asked about, too.
fixtures as (
    select matches.*
    from matches
    where
        matches.kickoff_at > {{ as_of() }} - interval '1 day'
        and matches.kickoff_at <= {{ horizon_end() }}
        and not exists (
            select from predictions
            where predictions.match_id = matches.match_id
        )
),

last_run as (
    select
        run_id,
        as_of,
        status,
        detail
    from {{ ref('stg_pipeline_run') }}
    where step = 'predict' and status <> 'running' and as_of <= {{ as_of() }}
    order by started_at desc
    limit 1
),

broken_run as (
    select
        last_run.*,
        exists(
            select from {{ ref('stg_quality_result') }} as checked
            where
                checked.run_id = last_run.run_id
                and checked.gate = 'predictions'
                and checked.suite = 'gate'
                and not checked.success
        ) as is_by_gate
    from last_run
    where last_run.status = 'failed'
),

holds as (
    select
        competition,
        gate,
        'hold ' || competition_hold_id || ' since '
        || to_char(held_as_of at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC: ' || reason as detail
    from {{ ref('stg_competition_hold') }}
    where held_as_of <= {{ as_of() }} and (released_as_of is null or released_as_of > {{ as_of() }})
),

team_links as (
    select distinct on (source, country, alias)
        source,
        country,
        alias,
        team
    from {{ ref('stg_team_link') }}
    where observed_at <= {{ as_of() }}
    order by source, country, alias, team_link_id desc
),

rejected as (
    select
        refused.rejected_row_id,
        payloads.source,
        payloads.endpoint,
        refused.payload_id,
        refused.row_number,
        refused.rule,
        refused.field,
        refused.value,
        refused.reason,
        refused.competition,
        refused.kickoff_at,
        coalesce(home.team, refused.home_team) as home_team,
        coalesce(away.team, refused.away_team) as away_team
    from {{ ref('stg_rejected_row') }} as refused
    inner join {{ ref('stg_payload') }} as payloads on refused.payload_id = payloads.payload_id
    left join {{ ref('competition') }} as competitions on refused.competition = competitions.competition
    left join team_links as home
        on
            payloads.source = home.source
            and competitions.country = home.country
            and refused.home_team = home.alias
    left join team_links as away
        on
            payloads.source = away.source
            and competitions.country = away.country
            and refused.away_team = away.alias
    where
        refused.scope = 'row'
        and not refused.is_settled
        and refused.observed_at <= {{ as_of() }}
        and refused.kickoff_at > {{ as_of() }} - interval '1 day'
        and refused.kickoff_at <= {{ horizon_end() }}
        -- A later body of the same request has the last word.
        and not exists (
            select from {{ ref('stg_payload') }} as later
            where
                later.source = payloads.source
                and later.endpoint = payloads.endpoint
                and later.payload_id > refused.payload_id
                and later.observed_at <= {{ as_of() }}
        )
),

landed as (
    select distinct on (fixture_key) *
    from {{ ref('stg_landed_fixture') }}
    where
        known_at <= {{ as_of() }}
        and kickoff_at > {{ as_of() }} - interval '1 day'
        and kickoff_at <= {{ horizon_end() }}
    order by fixture_key, {{ latest_version() }}, quarantined_fact_id
),

found as (
    -- A team plays once a day: a row about a side whose match is known is about that match, as another source has it.
    select
        null::uuid as match_id,
        false as is_built,
        rejected.competition,
        rejected.kickoff_at,
        (rejected.kickoff_at at time zone 'UTC')::date as kickoff_on,
        rejected.home_team,
        rejected.away_team,
        case when rejected.rule = 'team_doubtful' then 'unknown_team' else 'rejected' end as reason,
        'rejected_row ' || rejected.rejected_row_id || ': row ' || rejected.row_number || ' of payload '
        || rejected.payload_id || ' (' || rejected.source || ' ' || rejected.endpoint || '), rule ' || rejected.rule
        || coalesce(', ' || rejected.field || ' ' || coalesce(quote_literal(rejected.value), 'missing'), '')
        || ': ' || rejected.reason as detail
    from rejected
    where
        not exists (
            select from matches
            where
                matches.competition = rejected.competition
                and matches.kickoff_at > rejected.kickoff_at - interval '36 hours'
                and matches.kickoff_at < rejected.kickoff_at + interval '36 hours'
                and (matches.home_team = rejected.home_team or matches.away_team = rejected.away_team)
        )
    union all
    select
        landed.fixture_key as match_id,
        false as is_built,
        landed.competition,
        landed.kickoff_at,
        (landed.kickoff_at at time zone 'UTC')::date as kickoff_on,
        landed.home_team,
        landed.away_team,
        case when landed.quarantined_fact_id is null then 'waiting' else 'quarantined' end as reason,
        coalesce(
            'quarantined_fact ' || landed.quarantined_fact_id || ', rule ' || landed.rule || ': '
            || landed.reason || '; ', 'landed, and not built since: '
        )
        || 'row ' || landed.row_number || ' of payload ' || landed.payload_id || ' (' || landed.source || ')' as detail
    from landed
    where
        not exists (
            select from matches
            where matches.match_id = landed.fixture_key
        )
    union all
    select
        fixtures.match_id,
        true as is_built,
        fixtures.competition,
        fixtures.kickoff_at,
        (fixtures.kickoff_at at time zone 'UTC')::date as kickoff_on,
        fixtures.home_team,
        fixtures.away_team,
        applies.reason,
        applies.detail
    from fixtures
    left join last_run on true
    left join broken_run on true
    left join {{ ref('match_features') }} as features on fixtures.match_id = features.match_id
    cross join lateral (
        select
            case when holds.gate = 'predictions' then 'gate' else 'held' end as reason,
            holds.detail
        from holds
        where holds.competition = fixtures.competition
        union all
        select
            'superseded' as reason,
            'seen again later under another key; announced by payload ' || fixtures.payload_id as detail
        where fixtures.status = 'superseded'
        union all
        select
            'called_off' as reason,
            'status ' || fixtures.status || ' by payload ' || fixtures.payload_id
            || ' (' || fixtures.source || ')' as detail
        where fixtures.status not in ('scheduled', 'superseded', 'played', 'in_play')
        union all
        select
            'no_features' as reason,
            'features.match_features has no row of it' as detail
        where features.match_id is null
        union all
        select
            'refused' as reason,
            'run ' || last_run.run_id || ': ' || (last_run.detail -> 'refusals' ->> fixtures.match_id::text) as detail
        where last_run.detail -> 'refusals' ->> fixtures.match_id::text is not null
        union all
        select
            case when broken_run.is_by_gate then 'gate' else 'refused' end as reason,
            'run ' || broken_run.run_id || ' failed: ' || (broken_run.detail ->> 'error') as detail
        where broken_run.as_of < fixtures.kickoff_at
        union all
        select
            'begun' as reason,
            'kicked off before a prediction was written; '
            || coalesce(
                'the last predict step ran as of ' || to_char(last_run.as_of at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
                || ' UTC', 'no predict step has run'
            ) as detail
        where fixtures.kickoff_at <= {{ as_of() }} or fixtures.is_played
        union all
        select
            'no_forecast' as reason,
            'run ' || last_run.run_id || ': the champion (version ' || (last_run.detail ->> 'model_version')
            || ') gave no forecast' as detail
        where last_run.detail -> 'without_forecast' @> to_jsonb(fixtures.match_id::text)
        union all
        select
            'no_champion' as reason,
            'run ' || last_run.run_id || ' found no champion' as detail
        where last_run.status = 'success' and last_run.detail -> 'inputs' ->> 'champion' is null
        union all
        select
            'waiting' as reason,
            'no predict step has looked at it yet' as detail
    ) as applies
),

ranked as (
    -- What is not built is one fixture, whatever tells of it.
    select distinct on (
        found.is_built, case when found.is_built then found.match_id end,
        found.competition, found.home_team, found.away_team, found.kickoff_on
    )
        found.*,
        reasons.look_at,
        reasons.what_to_do
    from found
    inner join reasons on found.reason = reasons.reason
    order by
        found.is_built, case when found.is_built then found.match_id end,
        found.competition, found.home_team, found.away_team, found.kickoff_on, reasons.place, found.detail
)

select
    competition,
    kickoff_at,
    home_team,
    away_team,
    match_id,
    reason,
    detail,
    look_at,
    what_to_do,
    {{ as_of() }} as as_of
from ranked
