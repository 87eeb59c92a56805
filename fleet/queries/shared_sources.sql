-- Sources that at least `routers` routers saw on one day, ranked by how many did.
SELECT address, max(country) AS country, uniqExact(day) AS days, max(routers) AS most_routers_a_day,
    sum(attempts) AS attempts, max(services) AS most_services_a_day, max(tcp_routers) AS most_tcp_routers_a_day,
    arrayStringConcat(arrayMap(x -> concat(toString(x.1), '/', toString(x.2)), anyLast(ports)), ' ') AS some_services
FROM current_source_day(from = {from:Date}, to = {to:Date}) AS source_day
WHERE class = {class:String} AND routers >= {routers:UInt32}
GROUP BY address
ORDER BY most_routers_a_day DESC, attempts DESC, address
LIMIT {limit:UInt32};
