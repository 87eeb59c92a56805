-- One source over the routers: where, when and what it tried. Reads the pairs, which live 90 days.
SELECT router, anyLast(routers.name) AS name, min(day) AS first_day, max(day) AS last_day, uniqExact(day) AS days,
    sum(attempts) AS attempts, uniqExact(protocol, port) AS services,
    arrayStringConcat(arrayMap(x -> concat(toString(x.1), '/', toString(x.2)),
        groupArraySorted(8)(DISTINCT (protocol, port))), ' ') AS some_services
FROM current_pairs(from = {from:Date}, to = {to:Date}) AS pairs
LEFT JOIN (SELECT router, name FROM routers FINAL) AS routers USING (router)
WHERE class = {class:String} AND source = toIPv6({source:String})
GROUP BY router
ORDER BY attempts DESC, router
LIMIT {limit:UInt32};
