-- Days on which a service was tried far more often than usual. Usual is the median of its days in the range, per
-- router that reported; the score is the distance in robust standard deviations (median absolute deviation, at least
-- a tenth of the median). Services with fewer than 14 days are left out.
WITH
    reporting AS
    (
        SELECT day, routers AS reporting FROM current_service_day(from = {from:Date}, to = {to:Date})
        WHERE class = {class:String} AND protocol = -1
    ),
    rates AS
    (
        SELECT day, protocol, port, attempts, reporting, attempts / reporting AS rate,
            count() OVER (PARTITION BY protocol, port) AS days,
            quantileExact(0.5)(attempts / reporting) OVER (PARTITION BY protocol, port) AS usual
        FROM current_service_day(from = {from:Date}, to = {to:Date}) AS service
        INNER JOIN reporting ON reporting.day = service.day
        WHERE class = {class:String} AND protocol >= 0
    ),
    deviations AS
    (
        SELECT *, quantileExact(0.5)(abs(rate - usual)) OVER (PARTITION BY protocol, port) AS deviation
        FROM rates WHERE days >= 14
    )
SELECT day, protocol, port, attempts, toUInt64(round(usual * reporting)) AS expected,
    round((rate - usual) / greatest(1.4826 * deviation, 0.1 * usual), 1) AS score
FROM deviations
WHERE attempts >= {min:UInt64} AND score >= 6
ORDER BY score DESC, day, protocol, port
LIMIT {limit:UInt32};
