select
    subject.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s: %%s and %%s on target of %%s and %%s shots', home_team, away_team, home_shots_on_target,
        away_shots_on_target, home_shots, away_shots) as reason
from fresh_score as fresh
inner join subject using (fixture_key)
where home_shots_on_target > home_shots or away_shots_on_target > away_shots
