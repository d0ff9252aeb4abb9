-- one row per secret of a key. $1 its prefix
select
    key.prefix, key.scopes, key.rate_limit, key.expires_at, key.revoked_at,
    secret.secret_hash, secret.expires_at as secret_expires_at
from ops.api_key as key
inner join ops.api_key_secret as secret on secret.prefix = key.prefix
where key.prefix = $1
