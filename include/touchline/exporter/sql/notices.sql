-- one row: causes of alerts that have not gone away
select count(*) as n_open from ops.notice where closed_at is null
