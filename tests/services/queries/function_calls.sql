--name: FunctionCalls
--input: string date { pattern: datetime }
select f.name, u.login, fc.status, extract(epoch from fc.ended - fc.started)::int as seconds,
  max(case when fp.name = 'smiles' then fcv.value_string end) as smiles,
  max(array_length(fcv.value_array, 1)) as list_length
from func_calls fc
join funcs f on f.id = fc.func_id
join users_sessions s on s.id = fc.session_id
join users u on u.id = s.user_id
left join func_call_values fcv on fcv.func_call_id = fc.id
left join func_params fp on fp.id = fcv.func_param_id
where @date(fc.started)
group by fc.id, f.name, u.login, fc.status, fc.started, fc.ended
order by fc.started
