-- one row per competition that was played: its goals as known at an instant
select distinct on (competition) *
from features.competition_form
where valid_from <= %(as_of)s
order by competition, valid_from desc
