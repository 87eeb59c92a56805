-- Attempts by weekday (1 is Monday) and hour of the routers' own local days. Days without hours are not part of it.
SELECT toDayOfWeek(day) AS weekday, hour, sum(count) AS attempts
FROM
(
    SELECT day, hours FROM current_service_day(from = {from:Date}, to = {to:Date})
    WHERE class = {class:String} AND protocol = -1
)
ARRAY JOIN hours AS count, arrayEnumerate(hours) AS number
GROUP BY weekday, number - 1 AS hour
ORDER BY weekday, hour;
