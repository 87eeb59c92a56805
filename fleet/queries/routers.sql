-- Every router's totals of a range.
SELECT router, name, site, uniqExact(day) AS days, sum(attempts) AS attempts,
    round(attempts / days) AS attempts_per_day, max(sources) AS most_sources_a_day, countIf(complete = 0) AS incomplete_days,
    max(day) AS last_day, argMax(version, day) AS version
FROM current_router_day(from = {from:Date}, to = {to:Date}) AS router_day
LEFT JOIN (SELECT router, name, site FROM routers FINAL) AS routers USING (router)
WHERE class = {class:String}
GROUP BY router, name, site
ORDER BY attempts DESC, router
LIMIT {limit:UInt32};
