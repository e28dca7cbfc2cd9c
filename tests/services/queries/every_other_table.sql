--name: EveryOtherTable
select
  (select count(*) from queries q left join connections c on c.id = q.connection_id where q.created_on < now()) as queries,
  (select count(data_source) from connections) as connections,
  (select count(*) from view_layouts vl left join users u on u.id = vl.author_id) as layouts,
  (select count(*) from comments co join chats ch on ch.id = co.chat_id join users u on u.id = co.user_id
   where co.posted is not null) as comments,
  (select count(*) from notifications) + (select count(*) from jobs) as other,
  (select count(*) from reports_data) as data,
  (select count(*) from capture_rules cr where cr.status = 'active' and (cr.capture ->> 'clicks')::bool
   and cr.events_captured < cr.max_events and not cr.anonymous and cr.expires_at > now() at time zone 'utc') as rules,
  (select count(*) from entity_types) as entity_types,
  (select count(*) from events e where e.friendly_name is not null or e.comment is not null or e.run_number > 0
   or e.options ->> 'x' is not null or e.exported_by is not null) as rare
