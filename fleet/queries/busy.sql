-- Which services were tried at least `min` times, day by day.
SELECT day, protocol, port, attempts, uniqCombinedMerge(16)(sources) AS sources, routers
FROM current_service_day(from = {from:Date}, to = {to:Date})
WHERE class = {class:String} AND protocol >= 0
GROUP BY day, protocol, port, attempts, routers
HAVING attempts >= {min:UInt64}
ORDER BY day, attempts DESC, protocol, port
LIMIT {limit:UInt32} BY day;
