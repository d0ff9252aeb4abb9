-- one row per database, the largest first
select datname as database, pg_database_size(oid) as size
from pg_database
where not datistemplate
order by size desc, datname
