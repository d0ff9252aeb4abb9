-- one row per digest of more rows than given, as a line of the file that is handed out
select ledger.text_of(digest) as line from ledger.digest where position > $1 order by position
