"""Features through Feast: training by point-in-time joins, prediction from the online store."""
