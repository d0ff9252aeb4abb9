-- one row per competition that has fixtures ahead. $1 present
select distinct competition from core.match where status = 'scheduled' and not is_played and kickoff_at > $1
