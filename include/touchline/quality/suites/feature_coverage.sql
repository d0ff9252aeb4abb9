-- one row per fixture of the next week: whether it has no features
select
    concat_ws(' ', match.competition, home_team, away_team, match.match_id) as row_key, match.competition,
    (features.match_id is null)::int as n_missing
from core.match
left join features.match_features as features using (match_id)
where status = 'scheduled' and not match.is_played
    and match.kickoff_at between %(as_of)s and %(as_of)s::timestamptz + interval '7 days'
