--name: UserReports
--input: list<string> labels = ['all']
select r.number, r.friendly_name, rep.login as reporter, ass.login as assignee, r.is_resolved,
  (select count(*) from events e join event_types et on et.id = e.event_type_id
   where et.error_stack_trace_hash = r.error_stack_trace_hash) as errors
from reports r
join users rep on rep.id = r.reporter_id
left join users ass on ass.id = r.assignee_id
where (r.labels && @labels or @labels = array['all'])
order by r.number
