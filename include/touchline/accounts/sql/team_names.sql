-- one row per name that any team has
select distinct name from core.team order by name
