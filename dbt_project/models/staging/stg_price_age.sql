-- one row: how old the prices are of which predictions are made
select
    prices_as_of,
    is_stale
from {{ source('ops', 'price_age') }}
