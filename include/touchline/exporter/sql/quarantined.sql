-- one row per rule: facts that are set aside
select rule, count(*) as n_facts from landing.set_aside group by rule order by n_facts desc, rule
