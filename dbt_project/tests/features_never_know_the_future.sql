-- no row may be: a match whose features stand at or after its kick-off
select match_id
from {{ ref('match_features') }}
where features_as_of >= kickoff_at and {{ is_new_to_this_build('match_id') }}
