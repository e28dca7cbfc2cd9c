-- A query: an API node was asked.
e."topic" = 'apinode-query' AND e."type" <> 'ground-truth'
