-- at most one row: why a fixture has no prediction, by its id, or by its names where only a rejected row tells of it
select reason, detail, look_at, what_to_do from analytics.unpredicted
where
    match_id = %(match_id)s
    or (
        %(match_id)s::uuid is null and match_id is null and competition = %(competition)s
        and kickoff_at = %(kickoff_at)s and home_team = %(home_team)s and away_team = %(away_team)s
    )
