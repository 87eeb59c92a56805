-- Routers that are silent or whose figures are not whole: days of the range without a batch, incomplete days, lost events.
-- Every class of a day has the losses of all.
SELECT router, name, site, if(days = 0, NULL, last_day) AS last_day, {to:Date} - {from:Date} + 1 - days AS silent_days,
    incomplete_days, lost, version
FROM (SELECT router, name, site FROM routers FINAL WHERE revoked IS NULL) AS routers
LEFT JOIN
(
    SELECT router, max(day) AS last_day, count() AS days, countIf(whole = 0) AS incomplete_days, sum(day_lost) AS lost,
        argMax(day_version, day) AS version
    FROM
    (
        SELECT router, day, min(complete) AS whole, max(lost) AS day_lost, any(version) AS day_version
        FROM current_router_day(from = {from:Date}, to = {to:Date})
        GROUP BY router, day
    )
    GROUP BY router
) AS reported USING (router)
WHERE silent_days > 0 OR incomplete_days > 0 OR lost > 0
ORDER BY silent_days DESC, incomplete_days DESC, router
LIMIT {limit:UInt32};
