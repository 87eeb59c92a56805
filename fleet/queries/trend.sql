-- One service day by day; without protocol and port all of them together.
SELECT day, attempts, uniqCombinedMerge(16)(sources) AS sources, routers
FROM current_service_day(from = {from:Date}, to = {to:Date})
WHERE class = {class:String} AND protocol = {protocol:Int16} AND port = {port:UInt16}
GROUP BY day, attempts, routers
ORDER BY day;
