select
    competition, fixture_key, payload_id,
    format('%%s - %%s moved by %%s h to %%s (%%s said %%s)', home_team, away_team, hours::int,
        to_char(kickoff_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), source_before,
        to_char(kickoff_before at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) as reason
from kickoff_move where not is_shifted_body
