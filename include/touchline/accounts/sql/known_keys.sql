-- one row per key, the newest first
select
    prefix, owner, scopes,
    case
        when revoked_at <= %(at)s then 'revoked'
        when expires_at <= %(at)s then 'expired'
        else 'valid'
    end as state,
    rate_limit, created_at, expires_at, revoked_at,
    (
        select minute from ops.api_key_use
        where api_key_use.prefix = api_key.prefix
        order by minute desc
        limit 1
    ) as last_used_at,
    (
        select count(*) from ops.api_key_secret
        where api_key_secret.prefix = api_key.prefix and coalesce(expires_at > %(at)s, true)
    ) as n_secrets
from ops.api_key
order by created_at desc, prefix
