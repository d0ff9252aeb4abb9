select
    subject.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s: shots %%s/%%s, corners %%s/%%s, fouls %%s/%%s, yellow %%s/%%s, red %%s/%%s', home_team, away_team,
        home_shots, away_shots, home_corners, away_corners, home_fouls, away_fouls, home_yellow_cards,
        away_yellow_cards, home_red_cards, away_red_cards) as reason
from fresh_score as fresh
inner join subject using (fixture_key)
where greatest(home_shots, away_shots) > 60 or greatest(home_corners, away_corners) > 30
    or greatest(home_fouls, away_fouls) > 60 or greatest(home_yellow_cards, away_yellow_cards) > 15
    or greatest(home_red_cards, away_red_cards) > 6
