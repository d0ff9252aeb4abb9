-- one row per name of a source and decision which team it means
select
    team_link_id,
    source,
    country,
    alias,
    team,
    observed_at
from {{ source('landing', 'team_link') }}
