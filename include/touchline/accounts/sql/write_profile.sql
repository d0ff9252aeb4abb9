-- one row: the profile as it is now. $1 prefix of the key, $2 to $9 its columns, $10 the present
insert into ops.user_profile (
    prefix, competitions, teams, time_zone, odds_format, language, kickoff_soon_minutes, prediction_moved, settled_hours,
    updated_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (prefix) do update set
    competitions = excluded.competitions, teams = excluded.teams, time_zone = excluded.time_zone,
    odds_format = excluded.odds_format, language = excluded.language,
    kickoff_soon_minutes = excluded.kickoff_soon_minutes, prediction_moved = excluded.prediction_moved,
    settled_hours = excluded.settled_hours, updated_at = excluded.updated_at
returning *
