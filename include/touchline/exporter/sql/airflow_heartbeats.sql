-- one row per part of Airflow: its last heartbeat, of however many processes there are
select
    case job_type
        when 'SchedulerJob' then 'scheduler' when 'DagProcessorJob' then 'dag_processor' when 'TriggererJob' then 'triggerer'
    end as component,
    max(latest_heartbeat) as heartbeat
from job
where job_type in ('SchedulerJob', 'DagProcessorJob', 'TriggererJob')
group by job_type
order by component
