-- Attempts by month, against the same month a year before: per router and day, because fleets grow.
WITH monthly AS
(
    SELECT toStartOfMonth(day) AS month, uniqExact(day) AS days, sum(service.attempts) AS attempts,
        sum(service.attempts) / sum(service.routers) AS rate, uniqCombinedMerge(16)(service.sources) AS sources
    FROM current_service_day(from = toStartOfMonth({from:Date} - INTERVAL 1 YEAR), to = {to:Date}) AS service
    WHERE class = {class:String} AND protocol = -1
    GROUP BY month
)
SELECT formatDateTime(monthly.month, '%Y-%m') AS month, monthly.days AS days, monthly.attempts AS attempts,
    round(attempts / days) AS attempts_per_day, round(monthly.rate, 1) AS attempts_per_router_day,
    if(before.days = 0, NULL, round(monthly.rate / before.rate, 3)) AS year_over_year, monthly.sources AS sources
FROM monthly
LEFT JOIN monthly AS before ON before.month = monthly.month - INTERVAL 1 YEAR
WHERE monthly.month >= toStartOfMonth({from:Date})
ORDER BY month;
