-- The sources with the most attempts on one service (without protocol and port: on all), over all routers. Reads the
-- pairs, which live 90 days.
SELECT address, max(country) AS country, sum(attempts) AS attempts, uniqExact(router) AS routers,
    uniqExact(protocol, port) AS services, min(day) AS first_day, max(day) AS last_day
FROM current_pairs(from = {from:Date}, to = {to:Date}) AS pairs
WHERE class = {class:String} AND ({protocol:Int16} = -1 OR (protocol = {protocol:Int16} AND port = {port:UInt16}))
GROUP BY address
HAVING attempts >= {min:UInt64}
ORDER BY attempts DESC, address
LIMIT {limit:UInt32};
