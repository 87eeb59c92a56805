-- Guessing of passwords by month: failed logins, their different sources, and on how many routers at most a day.
SELECT formatDateTime(day, '%Y-%m') AS month, sum(attempts) AS failed_logins,
    uniqCombinedMerge(16)(sources) AS sources, max(routers) AS routers
FROM current_service_day(from = {from:Date}, to = {to:Date})
WHERE class = 'login' AND protocol = -1
GROUP BY month
ORDER BY month;
