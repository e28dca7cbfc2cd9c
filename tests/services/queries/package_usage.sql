--name: PackageUsage
--input: string date { pattern: datetime }
--input: list<string> packages = ['all']
select pp.name as package, u.friendly_name as "user", count(*) as runs
from events e
inner join event_types et on et.id = e.event_type_id
inner join event_parameter_values epv inner join event_parameters ep on epv.parameter_id = ep.id and ep.name = 'package'
  on epv.event_id = e.id
inner join published_packages pp on pp.id::text = epv.value
inner join packages p on p.id = pp.package_id
inner join users_sessions s on e.session_id = s.id
inner join users u on u.id = s.user_id
where @date(e.event_time) and (pp.name = any(@packages) or @packages = array['all'])
group by 1, 2
order by 1, 2
