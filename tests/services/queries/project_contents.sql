--name: ProjectContents
--input: string project
select p.friendly_name as project, en.friendly_name as entity, t.tag
from projects p
join project_relations pr on pr.project_id = p.id
join entities en on en.id = pr.entity_id and not coalesce(en.is_deleted, false)
left join tags t on t.entity_id = en.id
where p.name = @project and not p.is_package
order by 2
