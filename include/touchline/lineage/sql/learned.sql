-- at most one row: what a model version was trained on. `version` is its name, a slash, and its number
select from_id, detail from ops.lineage_edge
where from_kind = 'training_set' and to_kind = 'model_version' and to_id = %(version)s
