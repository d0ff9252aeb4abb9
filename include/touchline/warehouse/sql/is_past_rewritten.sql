-- one row: whether a fact about a built match counts as known before the last build: mostly a source's first
-- body. It changes the past of the match, from which names and pairings may have disappeared.
select exists (
    select from unnest(%(payload_ids)s::bigint[], %(known_since)s::timestamptz[]) as pending (payload_id, known_since)
    inner join landing.fixture_observation as fixture using (payload_id)
    inner join core.match as match on match.match_id = fixture.fixture_key
    where fixture.known_at >= coalesce(pending.known_since, '-infinity') and fixture.known_at <= %(built_as_of)s
)
