-- The most tried services of a range, month by month.
WITH heaviest AS
(
    SELECT protocol, port FROM current_service_day(from = {from:Date}, to = {to:Date})
    WHERE class = {class:String} AND protocol >= 0
    GROUP BY protocol, port ORDER BY sum(attempts) DESC, protocol, port LIMIT {limit:UInt32}
)
SELECT formatDateTime(day, '%Y-%m') AS month, protocol, port, sum(attempts) AS attempts,
    uniqCombinedMerge(16)(sources) AS sources, max(routers) AS routers
FROM current_service_day(from = {from:Date}, to = {to:Date})
WHERE class = {class:String} AND (protocol, port) IN heaviest
GROUP BY month, protocol, port
ORDER BY month, attempts DESC, protocol, port;
