-- The most tried services of one router.
SELECT protocol, port, sum(attempts) AS attempts, max(sources) AS most_sources_a_day, uniqExact(day) AS days
FROM current_router_service(from = {from:Date}, to = {to:Date})
WHERE router = {router:UInt32} AND class = {class:String}
GROUP BY protocol, port
ORDER BY attempts DESC, protocol, port
LIMIT {limit:UInt32};
