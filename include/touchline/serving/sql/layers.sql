-- one row per layer of the warehouse, in the order of the builds: as of when its tables stand
select layer, as_of, run_id
from ops.layer_build
order by array_position(array['core', 'ratings', 'features', 'analytics'], layer), layer
